"""The wire of the package `native`, written once more in Python, to speak to each language's harness."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """A value with the name of its kind."""

    name: str
    value: object


def message(content: bytes) -> bytes:
    """Return a message as it is sent."""
    return struct.pack(">I", len(content)) + content


def encode(value: object) -> bytes:
    """Return the bytes of a value."""
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return _text(b"I", str(value).encode())
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        return _text(b"S", value.encode())
    if isinstance(value, list):
        return b"L" + struct.pack(">I", len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = (encode(key) + encode(item) for key, item in value.items())
        return b"M" + struct.pack(">I", len(value)) + b"".join(pairs)
    assert isinstance(value, Named)
    return _text(b"O", value.name.encode()) + encode(value.value)


def decode(content: bytes) -> object:
    """Return the one value that is in the bytes."""
    value, rest = _take(content)
    assert not rest
    return value


def _text(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack(">I", len(content)) + content


def _take(content: bytes) -> tuple[object, bytes]:
    kind, rest = content[:1], content[1:]
    if kind in b"NTF":
        return {b"N": None, b"T": True, b"F": False}[kind], rest
    if kind == b"D":
        return struct.unpack(">d", rest[:8])[0], rest[8:]
    (length,) = struct.unpack(">I", rest[:4])
    text, after = rest[4 : 4 + length], rest[4 + length :]
    if kind == b"I":
        return int(text), after
    if kind == b"S":
        return text.decode(), after
    if kind == b"O":
        value, after = _take(after)
        return Named(text.decode(), value), after
    items, rest = [], rest[4:]
    for _ in range(length * (2 if kind == b"M" else 1)):
        item, rest = _take(rest)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if kind == b"M" else items), rest

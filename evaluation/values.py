"""Plain Python values as text, so that nothing executable ever crosses the wall of the sandbox.

Enters: any object a generated program returned, or an argument list of a benchmark.
Leaves: ASCII JSON. None, booleans, small integers, floats, strings and lists are themselves; every other
type is an object with one key, its tag.

A value is taken by the *content* of its plain base type, read with that type's own methods: a ``Counter`` is
a dict, and an ``int`` subclass that claims to equal everything is the number it holds. Types outside the table
become ``Unsupported``, which equals nothing.

Not guaranteed: that subclasses come back as themselves, that bytes and bytearray stay apart, or that two
adjacent lone surrogates stay two characters.
"""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

_LARGEST_PLAIN_INTEGER = 2**63


class Unsupported:
    """Stands for an output whose type cannot be compared; it is equal to no value, not even to its like."""

    def __init__(self, type_name: str) -> None:
        """Keep the name of the type for the report."""
        self.type_name = type_name

    def __repr__(self) -> str:
        """Show the type that could not be carried."""
        return f"<unsupported output of type {self.type_name}>"


def encode(value: object) -> str:
    """Return `value` as tagged JSON; never raises for depth or cycles, which count as unsupported."""
    try:
        return json.dumps(_to_plain(value), separators=(",", ":"))
    except RecursionError:
        return json.dumps({"u": type(value).__name__ + " (nested too deeply)"})


def decode(text: str | bytes) -> Any:
    """Return the value that `encode` wrote.

    All NaN share one object, so containers holding NaN in the same places compare equal.

    Raises:
        ValueError: the text is not what `encode` writes.
    """
    try:
        return json.loads(text, object_hook=_from_tag, parse_constant=_CONSTANTS.__getitem__)
    except (TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"not an encoded value: {error}") from None


def is_comparable(text: bytes) -> bool:
    """Tell whether an encoded value is without unsupported parts; inside a string the quotes would be escaped."""
    return b'{"u":' not in text


_CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _to_plain(value: object) -> object:
    if value is None or value is True or value is False:
        return value
    for base, convert in _ENCODERS:
        if isinstance(value, base):
            return convert(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and not isinstance(value.item(), numpy.generic):
        return _to_plain(value.item())
    return {"u": type(value).__name__}


def _integer_to_plain(value: int) -> object:
    number = int.__index__(value)
    return number if abs(number) < _LARGEST_PLAIN_INTEGER else {"i": hex(number)}


def _elements(iterate: Callable[[Any], Any]) -> Callable[[Any], list[object]]:
    return lambda value: [_to_plain(item) for item in iterate(value)]


def _tagged(tag: str, convert: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: {tag: convert(value)}


# Base types in the order they are tried, each with a conversion that ignores what a subclass overrides.
_ENCODERS: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (int, _integer_to_plain),
    (str, str.__str__),
    (float, float.__float__),
    (list, _elements(list.__iter__)),
    (tuple, _tagged("t", _elements(tuple.__iter__))),
    (dict, _tagged("d", lambda value: [[_to_plain(key), _to_plain(item)] for key, item in dict.items(value)])),
    (set, _tagged("s", _elements(set.__iter__))),
    (frozenset, _tagged("f", _elements(frozenset.__iter__))),
    (bytes, _tagged("b", lambda value: bytes.hex(value))),
    (bytearray, _tagged("b", lambda value: bytearray.hex(value))),
    (complex, _tagged("c", lambda value: [complex.__complex__(value).real, complex.__complex__(value).imag])),
)

_DECODERS: dict[str, Callable[[Any], object]] = {
    "i": lambda digits: int(digits, 16),
    "t": tuple,
    "d": dict,
    "s": set,
    "f": frozenset,
    "b": bytes.fromhex,
    "c": lambda parts: complex(*parts),
    "u": Unsupported,
}


def _from_tag(tagged: dict[str, Any]) -> object:
    [(tag, content)] = tagged.items()
    return _DECODERS[tag](content)

"""Rows of JSON lines and JSON arrays, plain or compressed, in bounded memory whatever the file holds.

Enters: a path. Leaves: one `RawRecord` after the other; a broken line never stops the reading. A row of more than
`MAX_ROW_BYTES` is not kept in memory. Of equal keys in one
object the last counts, and NaN and Infinity are numbers, as in Python's json. Not guaranteed: the rows behind the place
where an array is broken.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from inverse_instruct.corpus.unpacking import open_unpacked
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Reason

MAX_ROW_BYTES = 16 << 20
_CHUNK_CHARACTERS = 1 << 16
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One row of a file: its 1-based line or number, and its fields or the problem with it."""

    line: int
    fields: dict[str, Any] | None
    problem: str = ""
    reason: Reason = Reason.MALFORMED


def read_json(path: Path) -> Iterator[RawRecord]:
    """Read a file of JSON lines, or of one JSON array.

    Raises:
        CorpusError: an array is broken, or a compressed file is a bomb.
        OSError: the file cannot be read; one of `unpacking.DAMAGE`: it is damaged.
    """
    with open_unpacked(path) as stream:
        start = stream.peek(4096).removeprefix(_BOM).lstrip()
        if start.startswith(b"[") and ".jsonl" not in path.name.lower():
            yield from _read_array(path, stream)
        else:
            yield from _read_lines(stream)


def _read_lines(stream: io.BufferedReader) -> Iterator[RawRecord]:
    number = 0
    while line := stream.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            size = len(line) + (0 if line.endswith(b"\n") else _skip_line(stream))
            yield RawRecord(number, None, f"has {size} bytes, more than {MAX_ROW_BYTES}", Reason.TOO_LONG)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield _parsed(number, line)


def _skip_line(stream: io.BufferedReader) -> int:
    """Read up to the end of the line; return how many bytes that were."""
    size = 0
    while part := stream.readline(1 << 20):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size


def _parsed(number: int, line: bytes) -> RawRecord:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return RawRecord(number, None, f"is not valid UTF-8 ({error.reason} at byte {error.start})")
    except json.JSONDecodeError as error:
        return RawRecord(number, None, f"is not valid JSON ({error.msg} at column {error.colno})")
    except (ValueError, RecursionError) as error:
        return RawRecord(number, None, f"is not usable JSON ({error})")
    return _record(number, value)


def _record(number: int, value: Any) -> RawRecord:
    if isinstance(value, dict):
        return RawRecord(number, value)
    return RawRecord(number, None, f"is a JSON {type(value).__name__}, not an object with fields")


def _read_array(path: Path, stream: io.BufferedReader) -> Iterator[RawRecord]:
    number = 0
    try:
        for value in _elements(io.TextIOWrapper(stream, encoding="utf-8-sig")):
            number += 1
            yield _record(number, value)
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path}: is not a valid JSON array ({error}, in or after row {number + 1}); mend it, or "
            "write one row a line into a .jsonl file, where a broken row does not take the others with "
            "it"
        ) from error


def _elements(text: io.TextIOWrapper) -> Iterator[Any]:
    """Yield the elements of an array, holding no more text than the longest of them needs."""
    decode = json.JSONDecoder().raw_decode
    buffer = text.read(_CHUNK_CHARACTERS)
    start, ended = _past_space(buffer, 0) + 1, False
    while True:
        start = _past_space(buffer, start)
        if buffer.startswith("]", start):
            break
        try:
            value, end = decode(buffer, start)
            end = _past_space(buffer, end)
            if buffer.startswith((",", "]"), end):
                yield value
                start = end + (buffer[end] == ",")
                continue
            problem = json.JSONDecodeError("a comma is missing", buffer, end)
        except json.JSONDecodeError as error:
            problem = error
        if ended or len(buffer) - start > MAX_ROW_BYTES:
            raise ValueError(problem.msg)
        more = text.read(max(_CHUNK_CHARACTERS, len(buffer) - start))  # twice as much: no text is read often
        buffer, start, ended = buffer[start:] + more, 0, not more
    if (buffer[start + 1 :] + text.read(_CHUNK_CHARACTERS)).strip():
        raise ValueError("there is more behind its end")


def _past_space(text: str, start: int) -> int:
    return cast(re.Match[str], _SPACE.match(text, start)).end()

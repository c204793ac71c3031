"""Files of rows as plain records: JSON lines, JSON arrays and Parquet, the first two also gzip-compressed.

Enters: a path. Leaves: one `RawRecord` after the other, each with its place in the file and either its fields or what
is wrong with it; a broken row never stops the reading. JSON lines and Parquet are streamed. Not guaranteed: bounded
memory for a JSON array, which is read whole.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from inverse_instruct.errors import CorpusError

_BATCH_ROWS = 1024
_JSON = (".jsonl", ".json")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One row of a file: its 1-based line or number, and its fields or the problem with it."""

    line: int
    fields: dict[str, Any] | None
    problem: str = ""


def is_row_file(path: Path) -> bool:
    """Tell whether the name of a file is one that `read_records` reads."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(_JSON) or path.suffix.lower() == ".parquet"


def read_records(path: Path) -> Iterator[RawRecord]:
    """Read a file row by row.

    Raises:
        CorpusError: the file is missing, damaged as a whole, or of a kind that holds no rows.
    """
    if not path.exists():
        raise CorpusError(f"{path}: there is no such file or folder; check the path")
    if not is_row_file(path):
        raise CorpusError(f"{path}: is not a corpus file; give a .jsonl, .json (both also .gz) or .parquet file, "
                          "or convert it to one")
    try:
        yield from _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_json(path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path}: the compressed file is damaged ({error}); fetch it again") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def _read_json(path: Path) -> Iterator[RawRecord]:
    with _open(path) as stream:
        if _first_character(stream) == b"[" and ".jsonl" not in path.name.lower():
            yield from _read_array(path, stream)
        else:
            yield from _read_lines(stream)


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _first_character(stream: IO[bytes]) -> bytes:
    start = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    stream.seek(0)
    return start


def _read_lines(stream: IO[bytes]) -> Iterator[RawRecord]:
    for number, line in enumerate(stream, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _parsed(number, line)


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


def _read_array(path: Path, stream: IO[bytes]) -> Iterator[RawRecord]:
    try:
        rows = json.loads(stream.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: is not a valid JSON array ({error}); mend it, or write one row a line into a "
                          ".jsonl file, where a broken row does not take the others with it") from error
    for number, row in enumerate(rows, 1):
        yield _record(number, row)


def _read_parquet(path: Path) -> Iterator[RawRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_BATCH_ROWS):
            for row in range(batch.num_rows):
                number += 1
                try:
                    yield RawRecord(number, batch.slice(row, 1).to_pylist()[0])
                except UnicodeDecodeError as error:
                    yield RawRecord(number, None, f"is not valid UTF-8 ({error.reason} at byte {error.start})")
    except pa.ArrowException as error:
        raise CorpusError(f"{path}: is not a readable Parquet file ({error}); fetch or write it again") from error

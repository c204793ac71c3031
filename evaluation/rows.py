"""Benchmark rows as their files hold them: the one reader for suites, for what is kept out of training, for samples.

Enters: a file of JSON lines, of one JSON array (both plain or gzip-compressed) or of Parquet, told by its content.
Leaves: the rows, each with the place it came from for error messages. A file is read whole or refused; refused is
also what is larger, or expands further, than is reasonable. Not guaranteed: that the rows fit a suite; each suite
checks its own fields.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError

_MAX_EXPANSION = 200
_EXPANDED_BYTES = 4 << 20
"""What a compressed file may expand to in any case."""
_MAX_BYTES = 1 << 30
"""Of a file; the largest benchmark has some tens of MB."""
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
"""How such files begin."""
_BATCH_ROWS = 128


@dataclass(frozen=True, slots=True)
class Row:
    """One task as its file holds it."""

    where: str
    """`file:line`, or `file[index]` in a JSON array, for messages."""
    fields: dict[str, Any]

    def text(self, name: str, *, empty: bool = False) -> str:
        """Return a field that must be text.

        Raises:
            BenchmarkError: it is missing, not text, or empty without `empty`.
        """
        value = self.fields.get(name)
        if not isinstance(value, str) or (not value and not empty):
            raise BenchmarkError(f"{self.where}: {name}: must be {'text' if value != '' else 'non-empty text'}")
        return value


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of one benchmark file."""

    source: str
    md5: str
    """Of the unpacked bytes, as EvalPlus names a version; "" where there is no file."""
    rows: tuple[Row, ...]


def read_file(path: Path) -> Rows:
    """Return the rows of a file.

    Raises:
        BenchmarkError: it is missing, damaged, or holds something else; the message gives file and line.
    """
    try:
        if not path.is_file():
            raise BenchmarkError(f"{path}: {'is not a regular' if path.exists() else 'there is no such'} file")
        if path.stat().st_size > _MAX_BYTES:
            raise BenchmarkError(f"{path}: has more than {_MAX_BYTES >> 20} MiB, as no benchmark has")
        content = path.read_bytes()
        if content[:4] == _PARQUET:
            rows = list(_read_parquet(path, content))
        else:
            content = _expanded(path, content) if content[:2] == _GZIP else content
            rows = list(_read_json(path, content.decode("utf-8-sig")))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise BenchmarkError(f"{path}: cannot be read: {error}") from None
    if not rows:
        raise BenchmarkError(f"{path}: holds no rows")
    return Rows(str(path), hashlib.md5(content, usedforsecurity=False).hexdigest(), tuple(rows))


def content_digest(rows: Sequence[Row]) -> str:
    """Return the SHA-256 of the rows' content and order; file name and compression do not matter."""
    text = json.dumps([row.fields for row in rows], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _expanded(path: Path, packed: bytes) -> bytes:
    with gzip.open(io.BytesIO(packed)) as stream:
        content = stream.read(_most_bytes(packed) + 1)
    _refuse_bomb(path, packed, len(content))
    return content


def _most_bytes(packed: bytes) -> int:
    return max(_EXPANDED_BYTES, _MAX_EXPANSION * len(packed))


def _refuse_bomb(path: Path, packed: bytes, expanded_bytes: int) -> None:
    if expanded_bytes > _most_bytes(packed):
        raise BenchmarkError(
            f"{path}: expands to more than {_MAX_EXPANSION} times its size, as no benchmark does; "
            "unpack it yourself if you trust it"
        )


def _read_json(path: Path, text: str) -> Iterator[Row]:
    if text.lstrip()[:1] == "[":
        yield from (_row(value, f"{path}[{number}]") for number, value in enumerate(_json(text, str(path))))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(_json(line, f"{path}:{number}"), f"{path}:{number}")


def _read_parquet(path: Path, content: bytes) -> Iterator[Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BenchmarkError(f"{path}: reading Parquet needs the package pyarrow: pip install pyarrow") from None
    try:
        metadata = pq.read_metadata(io.BytesIO(content))
        sizes = (metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
        _refuse_bomb(path, content, sum(sizes))
        columns = map(metadata.schema.column, range(metadata.num_columns))
        # as dictionaries, since a text may be stored once and stand in every row
        texts = [column.path for column in columns if column.logical_type.type == "STRING"]
        number, expanded = 0, 0
        for batch in pq.ParquetFile(io.BytesIO(content), read_dictionary=texts).iter_batches(_BATCH_ROWS):
            for place in range(batch.num_rows):
                fields = batch.slice(place, 1).to_pylist()[0]
                expanded += len(str(fields))
                _refuse_bomb(path, content, expanded)
                yield Row(f"{path}[{number}]", fields)
                number += 1
    except (pa.ArrowException, ValueError) as error:  # a name of a column that is not UTF-8 is a ValueError
        raise BenchmarkError(f"{path}: is not a readable Parquet file: {error}") from None


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{where}: not JSON: {error}") from None


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise BenchmarkError(f"{where}: not a JSON object")
    return Row(where, value)

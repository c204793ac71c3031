"""Rows of the run in files: written one by one in bounded memory, and read back.

Enters: records or their plain values. Leaves: a Parquet file in row groups of `_GROUP_ROWS` rows, fewer where they are
long, or JSON lines; it appears whole when the writer closes without an error, or not at all. The columns of a Parquet
file come from the record's annotations, so an empty file and a column of nulls keep their types. Half surrogate pairs,
which UTF-8 cannot hold, are written as `?`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, TracebackType
from typing import IO, TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from inverse_instruct.errors import RunDirError
from inverse_instruct.records import (
    Candidate,
    Draft,
    Record,
    Rejection,
    ScoredPair,
    ShuffledPair,
    Snippet,
    TrainingRow,
    Verdict,
    to_dict,
)
from inverse_instruct.store.files import atomic_write

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 10_000
_READ_ROWS = 1_000
_GROUP_CHARACTERS = 64 << 20
Row = TypeVar("Row", bound=Record)
_FLAT: tuple[type[Record], ...] = (Snippet, Candidate, ScoredPair, ShuffledPair, Verdict, Draft, TrainingRow, Rejection)


def record_schema(record: type[Record]) -> pa.Schema:
    """Return the Parquet columns of a record, whose fields are plain values or lists of texts."""
    import pyarrow as pa

    columns = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    hints = get_type_hints(record)

    def column(hint: Any) -> pa.Field:
        if hint == list[str]:
            return pa.list_(pa.field("element", pa.string()))  # as Parquet calls it
        options = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
        return next(columns[plain] for plain in columns if issubclass(options[0], plain))

    return pa.schema([(field.name, column(hints[field.name])) for field in fields(record)])


class RowWriter:
    """An open file of rows; use it in a `with` statement."""

    def __init__(self, path: Path, record: type[Record] | None = None) -> None:
        """Prepare to write.

        Args:
            path: `.parquet` is written as Parquet, any other name as JSON lines.
            record: what the rows are; without it, it is told by the names of the first row's fields.
        """
        self.count = 0
        self.record = record.__name__ if record else ""
        self._parquet = path.suffix == ".parquet"
        self._file: AbstractContextManager[IO[Any]] = atomic_write(path, "wb" if self._parquet else "w")
        self._schema = record_schema(record) if record and self._parquet else None
        self._group: list[dict[str, Any]] = []
        self._group_characters = 0
        self._writer: Any = None

    def __enter__(self) -> RowWriter:
        """Open the temporary file."""
        self._stream = self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish the file, or drop it if the block failed."""
        try:
            if kind is None and self._parquet:
                self._flush()
                self._writer.close()
        except BaseException as failure:
            self._file.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._file.__exit__(kind, error, trace)

    def write(self, row: Record | dict[str, Any]) -> None:
        """Add one row."""
        values = to_dict(row) if is_dataclass(row) else row
        self.count += 1
        if not self._parquet:
            self._stream.write(_encodable(json.dumps(values, ensure_ascii=False)) + "\n")
            return
        self._group.append({name: _encodable(value) for name, value in values.items()})
        self._group_characters += sum(len(value) for value in values.values() if isinstance(value, str))
        if len(self._group) >= _GROUP_ROWS or self._group_characters >= _GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self._schema or _told_by_fields(self._group)
        table = pa.Table.from_pylist(self._group, schema=schema)
        if self._writer is None:
            self._schema = table.schema
            self._writer = pq.ParquetWriter(self._stream, table.schema, compression="zstd")
        if self._group:
            self._writer.write_table(table)
        self._group, self._group_characters = [], 0


def _told_by_fields(rows: list[dict[str, Any]]) -> pa.Schema | None:
    names = set(rows[0]) if rows else set()
    return next((record_schema(record) for record in _FLAT if {field.name for field in fields(record)} == names), None)


def _encodable(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_encodable, value))
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def write_rows(path: Path, rows: Iterable[dict[str, Any]], record: type[Record] | None = None) -> int:
    """Write rows as Parquet (`.parquet`) or JSON lines (any other name), atomically; return how many there were.

    Rows are taken one by one, so a generator of any length is fine.

    Args:
        path: the file.
        rows: plain values, as `records.to_dict` gives them.
        record: what the rows are; gives a Parquet file its column types even where it has no row.
    """
    with RowWriter(path, record) as writer:
        for row in rows:
            writer.write(row)
    return writer.count


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read back what `write_rows` wrote.

    Raises:
        RunDirError: the file is missing or damaged.
    """
    if path.suffix != ".parquet":
        return list(iterate_lines(path))
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read().to_pylist()  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove its folder and run the stage again") from error


def iterate_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of JSON lines, in bounded memory.

    Raises:
        RunDirError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove its folder and run the stage again") from error


def iterate_rows(path: Path, record: type[Row]) -> Iterator[Row]:
    """Yield the rows of a Parquet file as records, in bounded memory.

    Raises:
        RunDirError: the file is missing or damaged, or holds other rows.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_READ_ROWS):
                for values in batch.to_pylist():
                    yield record(**values)
    except (OSError, ValueError, TypeError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove its folder and run the stage again") from error


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file holds.

    Raises:
        RunDirError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove its folder and run the stage again") from error

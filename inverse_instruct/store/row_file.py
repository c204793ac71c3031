"""Reading a large Parquet file by columns or by row numbers, never as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inverse_instruct.errors import RunDirError

BATCH_ROWS = 10_000

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class RowFile:
    """A Parquet file as the stages write it; one that is not there has no rows.

    The file is opened for each call, so several threads may ask at once. A file that is damaged is a `RunDirError`.
    """

    def __init__(self, path: Path | None) -> None:
        """Remember the place; None: it is not known yet."""
        self.path = path or Path("not written yet")

    def count(self) -> int:
        """Return how many rows there are."""
        if not self.path.is_file():
            return 0
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def columns(self, *names: str) -> pa.Table:
        """Return some columns as a whole: meant for ids and numbers."""
        if not self.path.is_file():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        with self._opened() as file:
            return file.read(columns=list(names)).combine_chunks()

    def rows(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return rows by their 0-based number; only the row groups that hold them are read."""
        wanted = sorted(set(numbers))
        if not wanted:
            return {}
        found: dict[int, dict[str, Any]] = {}
        with self._opened() as file:
            ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)])
            groups: dict[int, list[int]] = defaultdict(list)
            for number in wanted:
                groups[int(np.searchsorted(ends, number, side="right"))].append(number)
            for group, some in groups.items():
                start = int(ends[group - 1]) if group else 0
                table = file.read_row_group(group).take([number - start for number in some])
                found.update(zip(some, table.to_pylist(), strict=True))
        return found

    def matches(self, text: str, *names: str) -> Numbers:
        """Return the numbers of the rows that hold a text in one of the columns, whatever its case."""
        if not self.path.is_file():
            return np.zeros(0, np.int64)
        found, start = [np.zeros(0, np.int64)], 0
        with self._opened() as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(names)):
                hit = np.zeros(batch.num_rows, bool)
                for name in names:
                    hit |= pc.match_substring(batch[name], text, ignore_case=True).to_numpy(zero_copy_only=False)
                found.append(np.flatnonzero(hit) + start)
                start += batch.num_rows
        return np.concatenate(found)

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self.path) as file:
                yield file
        except (OSError, pa.ArrowException) as error:
            raise RunDirError(
                f"{self.path}: cannot be read ({error}); remove its folder and run the stage again"
            ) from error

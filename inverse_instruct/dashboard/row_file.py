"""Reading a large Parquet file by columns or by row numbers, never as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

BATCH_ROWS = 10_000

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class RowFile:
    """A Parquet file as the stages write it; one that is not there has no rows.

    The file is opened for each call, so several threads may ask at once.
    """

    def __init__(self, path: Path) -> None:
        """Remember the place."""
        self.path = path

    def count(self) -> int:
        """Return how many rows there are."""
        return int(pq.ParquetFile(self.path).metadata.num_rows) if self.path.is_file() else 0

    def columns(self, *names: str) -> pa.Table:
        """Return some columns as a whole: meant for ids and numbers."""
        if not self.path.is_file():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        return pq.read_table(self.path, columns=list(names)).combine_chunks()

    def rows(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return rows by their 0-based number; only the row groups that hold them are read."""
        wanted = sorted(set(numbers))
        if not wanted:
            return {}
        file = pq.ParquetFile(self.path)
        ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)])
        groups: dict[int, list[int]] = defaultdict(list)
        for number in wanted:
            groups[int(np.searchsorted(ends, number, side="right"))].append(number)
        found: dict[int, dict[str, Any]] = {}
        for group, some in groups.items():
            start = int(ends[group - 1]) if group else 0
            table = file.read_row_group(group).take([number - start for number in some])
            found.update(zip(some, table.to_pylist(), strict=True))
        return found

    def matches(self, text: str, *names: str) -> Numbers:
        """Return the numbers of the rows that hold a text in one of the columns, whatever its case."""
        if not self.path.is_file():
            return np.zeros(0, np.int64)
        found, start = [], 0
        for batch in pq.ParquetFile(self.path).iter_batches(BATCH_ROWS, columns=list(names)):
            hit = np.zeros(batch.num_rows, bool)
            for name in names:
                hit |= pc.match_substring(batch[name], text, ignore_case=True).to_numpy(zero_copy_only=False)
            found.append(np.flatnonzero(hit) + start)
            start += batch.num_rows
        return np.concatenate(found) if found else np.zeros(0, np.int64)

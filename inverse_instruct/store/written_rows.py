"""The files of rows that a run has written so far, and the way back from a row to what it was made from.

Enters: the manifests of a run. Leaves: its files with their records; for some rows, all rows that they were made from.
Not guaranteed: that the way ends in the corpus; a file that was removed, and what an earlier version wrote, end it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from inverse_instruct.records import Record, Rejection, parents, row_id
from inverse_instruct.store.ledger_rows import StageRow
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.row_file import RowFile
from inverse_instruct.store.run_dir import RunDir

RECORDS: dict[str, type[Record]] = {record.__name__: record for record in get_args(Record)}


@dataclass(frozen=True)
class WrittenFile:
    """A file of rows."""

    round: int
    stage: str
    path: Path
    record: type[Record]
    kept: bool  # whether its rows went on; else they are set aside, or written beside those

    @property
    def rows(self) -> RowFile:
        """The file, to be read."""
        return RowFile(self.path)


@dataclass(frozen=True)
class Ancestor:
    """A row that another one was made from, and where it stands."""

    round: int
    stage: str
    row: Record


def written_files(run_dir: RunDir, manifests: Iterable[tuple[int, Manifest]]) -> list[WrittenFile]:
    """Return the files of rows of finished stages, in the order of the stages.

    Args:
        run_dir: the run.
        manifests: each with its round.
    """
    return [
        WrittenFile(
            number,
            manifest.stage,
            run_dir.stage(number, manifest.stage) / name,
            RECORDS[about.record],
            name == manifest.kept,
        )
        for number, manifest in manifests
        for name, about in manifest.rows.items()
        if about.record in RECORDS
    ]


def finished(stages: Iterable[StageRow]) -> Iterator[tuple[int, Manifest]]:
    """Yield the manifests of the stages that are done, each with its round."""
    for stage in stages:
        if stage.manifest:
            yield stage.round, stage.manifest


def follow_back(rows: Sequence[Record], files: Sequence[WrittenFile], number: int) -> dict[str, list[Ancestor]]:
    """Return the id of each row -> what it was made from, the nearest first, down to the corpus.

    Args:
        rows: of one round.
        files: of their run.
        number: that round; what later ones wrote may have the same ids, as equal content has.

    Raises:
        RunDirError: a file of rows is damaged.
    """
    files = [file for file in files if file.round <= number]
    found: dict[str, list[Ancestor]] = {}
    wanted = {parent for row in rows for parent in parents(row)}
    while wanted:
        now = _find(wanted, files)
        found |= {name: now.get(name, []) for name in wanted}
        wanted = {parent for some in now.values() for each in some for parent in parents(each.row)} - found.keys()
    return {row_id(row): list(_ancestors(row, found)) for row in rows}


def _find(wanted: set[str], files: Sequence[WrittenFile]) -> dict[str, list[Ancestor]]:
    """Return id -> the rows of that id, one of each kind: the last that was written, which knows most."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array(sorted(wanted), pa.string())
    found: dict[str, dict[type[Record], Ancestor]] = {}
    for file in files:
        if file.record is Rejection or not file.path.is_file():
            continue
        column = _id_column(file.record)
        ids = file.rows.columns(column)[column]
        numbers = pc.indices_nonzero(pc.is_in(ids, value_set=names)).to_pylist()
        for values in file.rows.rows(numbers).values():
            row = file.record(**values)
            found.setdefault(row_id(row), {})[file.record] = Ancestor(file.round, file.stage, row)
    return {name: list(kinds.values()) for name, kinds in found.items()}


def _id_column(record: type[Record]) -> str:
    names = [field.name for field in fields(record)]
    return "id" if "id" in names else names[0]


def _ancestors(row: Record, found: dict[str, list[Ancestor]]) -> Iterator[Ancestor]:
    seen: set[str] = set()
    waiting = list(parents(row))
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            for ancestor in found.get(name, ()):
                yield ancestor
                waiting += parents(ancestor.row)

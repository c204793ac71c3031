"""The rows that an analysis looks at, from a run or from any file of rows.

Enters: a run directory, or a file or folder in a layout that corpora come in. Leaves: sets of pairs by name, read
anew each time. Not guaranteed: that a file was written by this program; rows that cannot be read are left out and
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus.places import check_there
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.errors import RunDirError
from inverse_instruct.records import Draft, Rejection, TrainingRow
from inverse_instruct.store.rows import iterate_rows


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of instruction data."""

    instruction: str
    input: str  # code that the instruction is about; "" if it stands in the instruction, or there is none
    response: str
    task: str = ""  # what kind of row, where that is known: an intent of an edit, or one of several tasks

    @property
    def text(self) -> str:
        """All that it says."""
        return "\n".join(part for part in (self.instruction, self.input, self.response) if part)


@dataclass
class PairSet:
    """A set of pairs that can be gone through again and again; `unreadable` counts what the last time left out."""

    name: str
    path: Path
    kind: type[TrainingRow] | type[Draft] | None = None  # None: rows in a layout of corpora
    unreadable: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Pair]:
        """Yield the pairs.

        Raises:
            CorpusError: the file cannot be read, or its layout cannot be told.
            RunDirError: a file of a run is damaged.
        """
        self.unreadable.clear()
        if self.kind is not None:
            for row in iterate_rows(self.path, self.kind):
                if isinstance(row, Draft):
                    yield Pair(row.instruction, row.input, row.response, row.task)
                else:
                    yield Pair(row.instruction, "", row.response)
            return
        for read in read_source(CorpusSource(path=str(self.path))):
            if isinstance(read, Rejection):
                self.unreadable[read.reason.value] += 1
            else:
                yield Pair(read.instruction, "", read.response)


def find_sets(path: Path) -> list[PairSet]:
    """Return the sets that a path stands for: of a run the original rows and those of its last round, else the file.

    Raises:
        RunDirError: it is a run that has made no rows yet.
        CorpusError: it does not exist.
    """
    if not (path / "ledger.db").is_file():
        check_there(CorpusSource(path=str(path)))
        return [PairSet(path.name, path)]
    found = [
        PairSet(name, files[-1], kind)
        for name, pattern, kind in (
            ("original", "round-00/*/original.parquet", TrainingRow),
            ("self-generated", "round-*/*/selected.parquet", TrainingRow),
            ("edits", "round-*/instances/drafts.parquet", Draft),
            ("tasks", "round-*/generate/drafts.parquet", Draft),
        )
        if (files := sorted(path.glob(pattern), key=lambda file: (file.parts[-3], file.stat().st_mtime_ns)))
    ]
    if not found:
        raise RunDirError(f"{path} has made no rows yet; let its first stages end")
    return found

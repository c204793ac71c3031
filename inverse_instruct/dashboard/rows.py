"""The data browser: a page of the rows of a round, filtered and sorted.

Enters: a run directory and a query. Leaves: plain JSON values. An index of ids, scores and outcomes is held in memory
for the few rounds asked for last; texts are read from their files when a page or a search needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml

from inverse_instruct.dashboard.candidate_index import CandidateIndex, rows_of
from inverse_instruct.dashboard.corpus_index import CorpusIndex
from inverse_instruct.dashboard.draft_index import DraftIndex
from inverse_instruct.errors import RequestError
from inverse_instruct.records import Candidate, Draft, Rejection, Snippet
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.row_file import Floats, Mask, Numbers
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.written_rows import finished, written_files

PAGE_ROWS = 10
ORDERS = ("corpus", "best", "worst")


class RowIndex(Protocol):
    """What is known of the rows of a round without reading their texts; rows are numbered from 0."""

    total: int
    outcomes: dict[str, int]  # outcome -> how many candidates (round 0: rows) have it
    scores: Floats  # best LM-Score of each row, NaN where there is none

    def having(self, outcome: str) -> Mask:
        """Tell for each row whether it has the outcome."""

    def holding(self, text: str) -> Mask:
        """Tell for each row whether the text is in it, whatever its case."""

    def named(self, name: str) -> Mask:
        """Tell for each row whether it, or one of its candidates, has the id."""

    def read(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Return rows with their texts, in the order asked for."""


@dataclass(frozen=True)
class RowQuery:
    """Which rows are wanted."""

    round: int
    page: int = 1
    search: str = ""
    outcome: str = ""  # "" takes all
    order: str = "corpus"  # or "best" or "worst" LM-Score first
    row: str = ""  # id of the one row, or of one of its candidates; "" takes all


def read_page(path: Path, query: RowQuery, size: int = PAGE_ROWS) -> dict[str, Any]:
    """Return a page of rows with the counts around it; a page behind the last one is empty.

    Args:
        path: the run directory.
        query: which rows.
        size: rows per page.

    Raises:
        RequestError: there is no such order or page.
        RunDirError: a file of the run cannot be read.
    """
    if query.order not in ORDERS or query.page < 1:
        raise RequestError(f"order must be one of {', '.join(ORDERS)}, and page 1 or more")
    index = _open(path, query.round)
    chosen = _choose(index, query)
    start = (query.page - 1) * size
    return {
        "round": query.round,
        "page": query.page,
        "pages": max(1, -(-len(chosen) // size)),
        "first": start + 1,
        "matched": len(chosen),
        "total": index.total,
        "available": index.total,
        "outcomes": index.outcomes,
        "rows": index.read([int(number) for number in chosen[start : start + size]]),
    }


def _choose(index: RowIndex, query: RowQuery) -> Numbers:
    mask = np.ones(index.total, bool)
    if query.outcome:
        mask &= index.having(query.outcome)
    if query.row:
        mask &= index.named(query.row)
    if query.search:
        mask &= index.holding(query.search)
    chosen = np.flatnonzero(mask)
    if query.order == "corpus":
        return chosen
    scores = index.scores[chosen]
    return chosen[np.argsort(-scores if query.order == "best" else scores, kind="stable")]  # NaN comes last


def _open(path: Path, round_number: int) -> RowIndex:
    with Ledger(RunDir(path).ledger) as ledger:
        changed = tuple((stage.round, stage.stage, stage.updated) for stage in ledger.stages() if stage.manifest)
    return _indexed(path, round_number, changed)


@lru_cache(maxsize=3)
def _indexed(path: Path, round_number: int, changed: tuple[tuple[int, str, float], ...]) -> RowIndex:
    run_dir = RunDir(path)
    with Ledger(run_dir.ledger) as ledger:
        files = written_files(run_dir, finished(ledger.stages()))
    kept = [file for file in files if file.kept]
    corpus = [file for file in kept if file.round == 0]
    if round_number == 0 and len(corpus) < 2 and all(file.record is Snippet for file in corpus):
        return CorpusIndex(rows_of(corpus, Snippet), rows_of([file for file in files if file.round == 0], Rejection))
    written = {file.record for file in kept if file.round == round_number}
    if round_number == 0 or any(file.record is Draft for file in kept) or written and Candidate not in written:
        return DraftIndex(files, round_number)
    return CandidateIndex(files, round_number, _seed(run_dir))


def _seed(run_dir: RunDir) -> int:
    return int(yaml.safe_load(run_dir.config.read_text(encoding="utf-8"))["seed"])

"""How a round's LM-Scores are distributed, from its scored and its selected rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from inverse_instruct.records import Draft, Record, ScoredPair, TrainingRow
from inverse_instruct.store.row_file import RowFile
from inverse_instruct.store.written_rows import WrittenFile

BINS = 20  # of equal width over [0, 1]


def score_histogram(files: Sequence[WrittenFile], round_number: int) -> dict[str, Any] | None:
    """Return counts per bin of all scored rows and of the selected ones; None: the round has no scores, or not yet.

    `selected` is None where the selection is not done.
    """
    own = [file for file in files if file.round == round_number and file.kept and file.path.is_file()]
    scored = _last(own, ScoredPair) or _last(own, Draft)
    selected = _last(own, TrainingRow)
    counts = _counts(scored.path, scored.path.stat().st_mtime_ns) if scored else []
    if not any(counts):
        return None
    return {
        "round": round_number,
        "scored": counts,
        "selected": _counts(selected.path, selected.path.stat().st_mtime_ns) if selected else None,
    }


def _last(files: Sequence[WrittenFile], record: type[Record]) -> WrittenFile | None:
    return next((file for file in reversed(files) if file.record is record), None)


@lru_cache(maxsize=256)
def _counts(path: Path, changed: int) -> list[int]:
    scores = RowFile(path).columns("lm_score")["lm_score"].drop_null().to_numpy()
    return [int(count) for count in np.histogram(scores, bins=BINS, range=(0.0, 1.0))[0]]

"""How a round's LM-Scores are distributed, from its score file and its selected rows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from inverse_instruct.dashboard.row_file import RowFile
from inverse_instruct.store.run_dir import RunDir

BINS = 20  # of equal width over [0, 1]


def score_histogram(run_dir: RunDir, round_number: int) -> dict[str, Any] | None:
    """Return counts per bin of all scored pairs and of the selected ones; None: the round has no scores yet.

    `selected` is None where the selection is not done.
    """
    scored = run_dir.stage(round_number, "score") / "scores.parquet"
    selected = run_dir.stage(round_number, "selection") / "selected.parquet"
    if not scored.is_file():
        return None
    return {
        "round": round_number,
        "scored": _counts(scored, scored.stat().st_mtime_ns),
        "selected": _counts(selected, selected.stat().st_mtime_ns) if selected.is_file() else None,
    }


@lru_cache(maxsize=256)
def _counts(path: Path, changed: int) -> list[int]:
    scores = RowFile(path).columns("lm_score")["lm_score"].to_numpy()
    return [int(count) for count in np.histogram(scores, bins=BINS, range=(0.0, 1.0))[0]]

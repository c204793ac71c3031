"""The rows of round 0: what the corpus gave, and what was rejected of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc

from inverse_instruct.store.row_file import Floats, Mask, RowFile

KEPT = "kept"


class CorpusIndex:
    """Rows are the snippets first, then the rejected rows of the corpus."""

    def __init__(self, snippets: RowFile, rejections: RowFile) -> None:
        """Read the reasons; no texts."""
        self._snippets, self._rejections = snippets, rejections
        self._kept = self._snippets.count()
        reasons = self._rejections.columns("reason")["reason"].to_numpy(zero_copy_only=False).astype(str)
        self._outcomes = np.concatenate([np.full(self._kept, KEPT), reasons])
        self.total = len(self._outcomes)
        names, counts = np.unique(self._outcomes, return_counts=True)
        self.outcomes = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
        self.scores: Floats = np.full(self.total, np.nan)
        self.holding = lru_cache(maxsize=8)(self._holding)

    def having(self, outcome: str) -> Mask:
        """Tell for each row whether it has the outcome."""
        return np.asarray(self._outcomes == outcome)

    def named(self, name: str) -> Mask:
        """Tell for each row whether it has the id: the snippet's, or that of the row of the corpus."""
        kept = self._snippets.columns("id", "row_id")
        rejected = self._rejections.columns("row_id")["row_id"]
        hits = pc.or_(pc.equal(kept["id"], name), pc.equal(kept["row_id"], name))
        return np.asarray(np.concatenate([hits, pc.equal(rejected, name)]), bool)

    def _holding(self, text: str) -> Mask:
        mask = np.zeros(self.total, bool)
        mask[self._snippets.matches(text, "code", "instruction", "source")] = True
        mask[self._kept + self._rejections.matches(text, "detail", "row_id")] = True
        return mask

    def read(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Return rows with their texts, in the order asked for."""
        snippets = self._snippets.rows(number for number in numbers if number < self._kept)
        rejections = self._rejections.rows(number - self._kept for number in numbers if number >= self._kept)
        return [
            snippets[number] | {"outcome": KEPT, "detail": "", "candidates": None}
            if number < self._kept
            else self._rejected(rejections[number - self._kept])
            for number in numbers
        ]

    @staticmethod
    def _rejected(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "",
            "code": None,
            "language": None,
            "instruction": "",
            "row_id": row["row_id"],
            "source": None,
            "line": None,
            "outcome": row["reason"],
            "detail": row["detail"],
            "candidates": None,
        }

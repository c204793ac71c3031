"""Near duplicates among edits: in the code before or in the code after; the first one wins.

Enters: one edit after the other. Leaves: what it repeats, or None. Not guaranteed: as in `deduplication.py`.
"""

from __future__ import annotations

from inverse_instruct.corpus.deduplication import NearDuplicates
from inverse_instruct.corpus.edits import Objection
from inverse_instruct.records import Reason


class NearEdits:
    """Edits accepted so far."""

    def __init__(self, threshold: float) -> None:
        """Take the Jaccard similarity, over 0 and up to 1, from which two sides are near duplicates."""
        self._sides = {"input": NearDuplicates(threshold), "output": NearDuplicates(threshold)}

    def objection_or_add(self, place: str, before: str, after: str) -> Objection | None:
        """Return which accepted edit this one nearly repeats on one of its sides, or accept it."""
        texts = {"input": before, "output": after}
        for side, known in self._sides.items():
            if first := known.find(texts[side]):
                return Reason.NEAR_DUPLICATE, f"{side} of {first}"
        for side, known in self._sides.items():
            known.add(place, texts[side])
        return None

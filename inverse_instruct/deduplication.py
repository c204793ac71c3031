"""Exact and near duplicates among snippets; the first one wins.

Enters: one snippet after the other. Leaves: the place of the earlier snippet that it repeats, or None. Two snippets are
exact duplicates if they differ in white space only, and near duplicates if the Jaccard similarity of their token
5-shingles reaches the threshold. MinHash-LSH proposes candidates; each is then compared shingle by shingle, so no
snippet is dropped below the threshold. Not guaranteed: that every pair above it is found (about 98% of those right at
the threshold, more of the others).

Memory: about 3 KiB for a snippet that `NearDuplicates` accepted, its shingles included. The buckets are our own, since
those of datasketch take four times as much; the signatures are datasketch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inverse_instruct.records import digest
from inverse_instruct.shingles import tokens, window_hashes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHINGLE_TOKENS = 5
_PERMUTATIONS = 128
_RECALL = 0.98


class ExactDuplicates:
    """Texts seen so far, as digests of their words without the white space between them."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._places: dict[str, str] = {}

    def find_or_add(self, place: str, *texts: str) -> str | None:
        """Return the place where the same texts were seen before, or remember them under this place."""
        first = self._places.setdefault(digest(*(" ".join(text.split()) for text in texts)), place)
        return None if first is place else first


class NearDuplicates:
    """Snippets accepted so far, as shingles and LSH buckets."""

    def __init__(self, threshold: float) -> None:
        """Take the Jaccard similarity, over 0 and up to 1, from which two snippets are near duplicates."""
        from datasketch import MinHash

        self._threshold = threshold
        self._bands, self._rows = _bands_and_rows(threshold)
        self._empty = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        self._buckets: dict[int, list[int] | int] = {}
        self._places: list[str] = []
        self._shingles: list[NDArray[np.uint32]] = []

    def find_or_add(self, place: str, code: str) -> str | None:
        """Return the place of the first accepted snippet that this one nearly repeats, or accept it."""
        shingles = _shingles(code)
        keys = self._keys(shingles)
        for number in sorted(self._candidates(keys)):
            if _jaccard(shingles, self._shingles[number]) >= self._threshold:
                return self._places[number]
        self._add(keys, len(self._places))
        self._places.append(place)
        self._shingles.append(shingles)
        return None

    def _keys(self, shingles: NDArray[np.uint32]) -> list[int]:
        signature = self._empty.copy()
        signature.update_batch(shingles.tolist())
        bands = signature.hashvalues[: self._bands * self._rows].reshape(self._bands, self._rows)
        return [hash((band, row.tobytes())) for band, row in enumerate(bands)]

    def _candidates(self, keys: list[int]) -> set[int]:
        found: set[int] = set()
        for key in keys:
            match self._buckets.get(key):
                case int(number):
                    found.add(number)
                case list(numbers):
                    found.update(numbers)
        return found

    def _add(self, keys: list[int], number: int) -> None:
        for key in keys:
            match self._buckets.get(key):
                case None:
                    self._buckets[key] = number
                case int(first):
                    self._buckets[key] = [first, number]
                case list(numbers):
                    numbers.append(number)


def _bands_and_rows(threshold: float) -> tuple[int, int]:
    """Return the bands of most rows, so with fewest false candidates, that find `_RECALL` of pairs at the threshold."""
    for rows in range(_PERMUTATIONS // 2, 1, -1):
        bands = _PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return _PERMUTATIONS, 1


def _shingles(code: str) -> NDArray[np.uint32]:
    import numpy as np

    parts = tokens(code)
    hashes = window_hashes(parts, min(_SHINGLE_TOKENS, max(len(parts), 1)))
    return np.unique((hashes >> np.uint64(32)).astype(np.uint32))


def _jaccard(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    import numpy as np

    shared = np.intersect1d(one, other, assume_unique=True).size
    total = one.size + other.size - shared
    return shared / total if total else 1.0

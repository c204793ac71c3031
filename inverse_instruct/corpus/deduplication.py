"""Exact and near duplicates among snippets; the first one wins.

Enters: one snippet after the other. Leaves: the place of the earlier snippet that it repeats, or None. Two snippets are
exact duplicates if they differ in white space only, and near duplicates if the Jaccard similarity of their token
5-shingles reaches the threshold. MinHash-LSH proposes candidates; each is then compared shingle by shingle, so no
snippet is dropped below the threshold. Not guaranteed: that every pair above it is found (about 98% of those right at
the threshold, more of the others).

Memory: about half a KiB for a short snippet that `NearDuplicates` accepted, four bytes for each of its distinct
shingles included. The buckets are our own sorted arrays, since dictionaries take ten times as much; the signatures are
datasketch's.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inverse_instruct.corpus.shingles import tokens, window_hashes
from inverse_instruct.records import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHINGLE_TOKENS = 5
_PERMUTATIONS = 128
_RECALL = 0.98
_NEWEST_ENTRIES = 1 << 17
_SORTED_ENTRIES = 1 << 20  # longer arrays are not joined: to sort them takes three times their memory


class ExactDuplicates:
    """Texts seen so far, as digests of their words without the white space between them."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._places: dict[str, str] = {}

    def find_or_add(self, place: str, *texts: str) -> str | None:
        """Return the place where the same texts were seen before, or remember them under this place."""
        first = self._places.setdefault(digest(*(" ".join(text.split()) for text in texts)), place)
        return None if first is place else first


@dataclass(frozen=True, slots=True)
class Sketch:
    """What near duplicates of a text are found by; it depends on the text and the threshold alone."""

    shingles: NDArray[np.uint32]  # distinct, in order
    keys: NDArray[np.uint64]  # of its LSH buckets


class Sketcher:
    """Makes the sketches of texts."""

    def __init__(self, threshold: float) -> None:
        """Take the Jaccard similarity, over 0 and up to 1, from which two snippets are near duplicates."""
        import numpy as np
        from datasketch import MinHash

        self._bands, self._rows = _bands_and_rows(threshold)
        self._empty = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        factors = np.random.default_rng(0).integers(2**64, size=(self._bands, self._rows), dtype=np.uint64)
        self._factors = factors | np.uint64(1)

    def __call__(self, code: str) -> Sketch:
        """Return the sketch of a text."""
        shingles = _shingles(code)
        signature = self._empty.copy()
        signature.update_batch(shingles.tolist())
        bands = signature.hashvalues[: self._bands * self._rows].reshape(self._bands, self._rows)
        keys: NDArray[np.uint64] = (bands * self._factors).sum(axis=1)
        return Sketch(shingles, keys)


class NearDuplicates:
    """Snippets accepted so far, as shingles and LSH buckets."""

    def __init__(self, threshold: float) -> None:
        """Take the Jaccard similarity, over 0 and up to 1, from which two snippets are near duplicates."""
        self._threshold = threshold
        self._sketch = Sketcher(threshold)
        self._buckets = _Buckets()
        self._places: list[str] = []
        self._shingles = array("I")  # of all snippets, one after the other
        self._ends = array("Q")

    def find_or_add(self, place: str, code: str) -> str | None:
        """Return the place of the first accepted snippet that this one nearly repeats, or accept it."""
        return self.find_or_add_sketch(place, self._sketch(code))

    def find_or_add_sketch(self, place: str, sketch: Sketch) -> str | None:
        """Do the same with a sketch of the same threshold that is made already."""
        first = self._find(sketch)
        if first is None:
            self._add(place, sketch)
        return first

    def find(self, code: str) -> str | None:
        """Return the place of the first accepted snippet that this one nearly repeats."""
        return self._find(self._sketch(code))

    def add(self, place: str, code: str) -> None:
        """Accept a snippet."""
        self._add(place, self._sketch(code))

    def _find(self, sketch: Sketch) -> str | None:
        for number in sorted(self._buckets.find(sketch.keys)):
            if _jaccard(sketch.shingles, self._shingles_of(number)) >= self._threshold:
                return self._places[number]
        return None

    def _add(self, place: str, sketch: Sketch) -> None:
        self._buckets.add(sketch.keys, len(self._places))
        self._places.append(place)
        self._shingles.frombytes(sketch.shingles.tobytes())
        self._ends.append(len(self._shingles))

    def _shingles_of(self, number: int) -> NDArray[np.uint32]:
        import numpy as np

        start = self._ends[number - 1] if number else 0
        return np.frombuffer(self._shingles[start : self._ends[number]], dtype=np.uint32)


class _Buckets:
    """Which snippets have which key: the newest in a dictionary, the others in sorted arrays."""

    def __init__(self) -> None:
        self._newest: dict[int, list[int]] = {}
        self._entries = 0
        self._settled: list[tuple[NDArray[np.uint64], NDArray[np.uint32]]] = []  # keys and numbers, the longest first

    def find(self, keys: NDArray[np.uint64]) -> set[int]:
        found = {number for key in keys.tolist() for number in self._newest.get(key, ())}
        for known, numbers in self._settled:
            starts = known.searchsorted(keys)
            hits = known.take(starts, mode="clip") == keys
            if hits.any():
                for start, end in zip(starts[hits], known.searchsorted(keys[hits], "right"), strict=True):
                    found.update(numbers[start:end].tolist())
        return found

    def add(self, keys: NDArray[np.uint64], number: int) -> None:
        for key in keys.tolist():
            self._newest.setdefault(key, []).append(number)
        self._entries += len(keys)
        if self._entries >= _NEWEST_ENTRIES:
            self._settle()

    def _settle(self) -> None:
        import numpy as np

        keys = np.fromiter((key for key, numbers in self._newest.items() for _ in numbers), np.uint64, self._entries)
        numbers = np.fromiter((number for found in self._newest.values() for number in found), np.uint32, self._entries)
        self._newest, self._entries = {}, 0
        while self._settled and keys.size <= _SORTED_ENTRIES and self._settled[-1][0].size < 2 * keys.size:
            more_keys, more_numbers = self._settled.pop()
            keys, numbers = np.concatenate([more_keys, keys]), np.concatenate([more_numbers, numbers])
        order = keys.argsort(kind="stable")
        self._settled.append((keys[order], numbers[order]))


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

"""ROUGE-L of a text with many others at once: which of them it nearly repeats.

Enters: one text after the other. Leaves: the place of the first accepted text whose ROUGE-L F-measure with it is over
a threshold, as the `rouge_score` package decides without its stemmer; None if there is none. Texts without a letter of
a to z or a digit have no tokens and repeat nothing.

No text is compared with all others. Of a text of m tokens, one with a higher F-measure must share more than
`t m / (2 - t)` of them, so it has one of those that are left when fewer than so many are taken away: the commonest are.
What has one of these is looked at if its length and the tokens that it shares allow it, and only then its longest
common subsequence is found, with the bits of one number. Every decision is exact.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOKEN = re.compile(r"[a-z0-9]+")
_SLACK = 1e-9  # bounds are on the safe side of rounding


class RougeIndex:
    """Texts accepted so far."""

    def __init__(self, threshold: float) -> None:
        """Take the F-measure, over 0 and up to 1, over which two texts are near duplicates."""
        self._threshold = threshold
        self._places: list[str] = []
        self._texts: list[list[int]] = []
        self._lengths = array("I")
        self._numbers: dict[str, int] = {}
        self._having: list[array[int]] = []  # token -> the texts that have it

    def __len__(self) -> int:
        """Return how many texts were accepted."""
        return len(self._places)

    def find_or_add(self, place: str, text: str) -> str | None:
        """Return the place of the first accepted text that this one nearly repeats, or accept it."""
        first = self.find(text)
        if first is None:
            self.add(place, text)
        return first

    def find(self, text: str) -> str | None:
        """Return the place of the first accepted text that this one nearly repeats."""
        words = tokens(text)
        masks = _masks(words)
        known = {self._numbers[word]: mask for word, mask in masks.items() if word in self._numbers}
        for number in self._alike(words):
            if f_measure(_common(known, len(words), self._texts[number]), len(words), self._lengths[number]) > (
                self._threshold
            ):
                return self._places[number]
        return None

    def add(self, place: str, text: str) -> None:
        """Accept a text."""
        numbers = [self._number(word) for word in tokens(text)]
        for number in set(numbers):
            self._having[number].append(len(self._places))
        self._places.append(place)
        self._texts.append(numbers)
        self._lengths.append(len(numbers))

    def _number(self, word: str) -> int:
        number = self._numbers.setdefault(word, len(self._numbers))
        if number == len(self._having):
            self._having.append(array("I"))
        return number

    def _alike(self, words: list[str]) -> Iterator[int]:
        """Yield the texts that may be over the threshold, in order."""
        import numpy as np

        counts = Counter(words)
        spread = {word: len(self._having[self._numbers[word]]) if word in self._numbers else 0 for word in counts}
        needed = max(1, math.ceil(self._threshold * len(words) / (2 - self._threshold) - _SLACK))
        left_out = 0
        shared: list[NDArray[np.uint32]] = []
        for word in sorted(counts, key=lambda word: -spread[word]):
            if left_out + counts[word] < needed:
                left_out += counts[word]
            elif spread[word]:
                texts = np.array(self._having[self._numbers[word]], dtype=np.uint32)
                shared += [texts] * counts[word]
        if not shared:
            return
        found, most = np.unique(np.concatenate(shared), return_counts=True)
        lengths = np.array(self._lengths, dtype=np.uint32)[found].astype(np.int64)
        bound = np.minimum(np.minimum(most + left_out, lengths), len(words))
        yield from found[2 * bound > self._threshold * (lengths + len(words)) - _SLACK].tolist()


def tokens(text: str) -> list[str]:
    """Return the tokens of a text, as `rouge_score` makes them without its stemmer."""
    return _TOKEN.findall(text.lower())


def f_measure(common: int, one: int, other: int) -> float:
    """Return the ROUGE-L F-measure from the length of the longest common subsequence and of the two texts."""
    if not common:
        return 0.0
    precision, recall = common / one, common / other
    return 2 * precision * recall / (precision + recall)


def _masks(words: list[str]) -> dict[str, int]:
    """Return for each word the bits of the places where it stands."""
    masks: dict[str, int] = {}
    for place, word in enumerate(words):
        masks[word] = masks.get(word, 0) | 1 << place
    return masks


def _common(masks: dict[int, int], length: int, numbers: list[int]) -> int:
    """Return the length of the longest common subsequence (Hyyrö 2004)."""
    full = (1 << length) - 1
    row = full
    for number in numbers:
        if mask := masks.get(number, 0):
            matches = row & mask
            row = ((row + matches) | (row - matches)) & full
    return length - row.bit_count()

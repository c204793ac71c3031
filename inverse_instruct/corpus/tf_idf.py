"""Texts as dense vectors by the words that they have and others lack: an embedding that needs no model.

Enters: texts, twice: to count in how many of them each word stands, then to be embedded. Leaves: rows of float32 of
length 1 (0 for a text without words), whose products are about the cosines of TF-IDF vectors. Words are hashed into
buckets, and each bucket is spread over a few dimensions with random signs, so memory does not grow with the vocabulary.
Names in code are split at capitals and underscores.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 20
SPREAD = 8  # dimensions of a bucket: more are truer to the cosines, and slower

_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class TfIdf:
    """An embedding made from the texts that it is for."""

    def __init__(self, texts: Iterable[str], dimensions: int) -> None:
        """Count in how many texts each word stands.

        Args:
            texts: read once.
            dimensions: of the vectors.
        """
        self._dimensions = dimensions
        self._found_in = np.zeros(BUCKETS, np.int64)
        self._texts = 0
        for text in texts:
            self._found_in[list(_buckets(text))] += 1
            self._texts += 1

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of some texts; (n, dimensions)."""
        counts = [_buckets(text) for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(count) for count in counts])
        buckets = np.array([bucket for count in counts for bucket in count], np.int64)
        times = np.array([times for count in counts for times in count.values()], np.float64)
        weights = (1 + np.log(times)) * (np.log((1 + self._texts) / (1 + self._found_in[buckets])) + 1)
        dimensions, signs = _places(buckets, self._dimensions)
        flat = np.bincount(
            (rows[:, None] * self._dimensions + dimensions).ravel(),
            (weights[:, None] * signs).ravel(),
            minlength=len(texts) * self._dimensions,
        )
        vectors = flat.reshape(len(texts), self._dimensions)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        scaled: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return scaled


def _buckets(text: str) -> Counter[int]:
    return Counter(map(_bucket, _WORD.findall(_HUMP.sub(" ", text).lower())))


@lru_cache(1 << 18)
def _bucket(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS


def _places(buckets: NDArray[np.int64], dimensions: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the dimensions of buckets, and their signs there; (n, SPREAD) each."""
    seeds = (buckets[:, None] * SPREAD + np.arange(SPREAD)).astype(np.uint64)
    mixed = seeds * np.uint64(0x9E3779B97F4A7C15)  # as splitmix64 does
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    signs = np.where(mixed >> np.uint64(63), 1.0, -1.0)
    return (mixed % np.uint64(dimensions)).astype(np.int64), signs

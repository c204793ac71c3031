"""Text as tokens, and runs of tokens as 64-bit numbers: what near duplicates and contamination are found by.

The same text gives the same numbers in every process. Not guaranteed: that two different runs never share a number
(the chance is about 2^-64 for a pair).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w+")
_MAX_CACHED_CHARACTERS = 64  # or the cache would keep what bombs and hex dumps are made of
_FACTOR = 0x9E3779B97F4A7C15


def tokens(text: str) -> list[str]:
    """Return the words and the punctuation marks of a text."""
    return _TOKEN.findall(text)


def words(text: str) -> list[str]:
    """Return the words of a text, numbers and names included, without punctuation."""
    return _WORD.findall(text)


@lru_cache(maxsize=1 << 18)
def _number(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def window_hashes(parts: Sequence[str], size: int) -> NDArray[np.uint64]:
    """Return one number for every run of `size` parts, in order; empty if there are fewer parts than that."""
    import numpy as np

    count = len(parts) - size + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    number = _number if max(map(len, parts)) <= _MAX_CACHED_CHARACTERS else _number.__wrapped__
    numbers = np.fromiter(map(number, parts), dtype=np.uint64, count=len(parts))
    factor = np.uint64(_FACTOR)
    hashes = numbers[:count].copy()
    for offset in range(1, size):
        hashes *= factor
        hashes += numbers[offset : offset + count]
    hashes ^= hashes >> np.uint64(31)
    hashes *= factor
    return hashes

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
_POWERS_AT_HAND = 1 << 14  # more than most texts have tokens
FACTOR = 0x9E3779B97F4A7C15
"""An odd number whose powers differ in all bits."""


def tokens(text: str) -> list[str]:
    """Return the words and the punctuation marks of a text."""
    return _TOKEN.findall(text)


def words(text: str) -> list[str]:
    """Return the words of a text, numbers and names included, without punctuation."""
    return _WORD.findall(text)


@lru_cache(maxsize=1 << 18)
def _number(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def numbers(parts: Sequence[str]) -> NDArray[np.uint64]:
    """Return one number for every part."""
    import numpy as np

    number = _number if max(map(len, parts), default=0) <= _MAX_CACHED_CHARACTERS else _number.__wrapped__
    return np.fromiter(map(number, parts), dtype=np.uint64, count=len(parts))


def window_hashes(parts: Sequence[str], size: int) -> NDArray[np.uint64]:
    """Return one number for every run of `size` parts, in order; empty if there are fewer parts than that."""
    import numpy as np

    count = len(parts) - size + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    parts_as_numbers = numbers(parts)
    factor = np.uint64(FACTOR)
    hashes = parts_as_numbers[:count].copy()
    for offset in range(1, size):
        hashes *= factor
        hashes += parts_as_numbers[offset : offset + count]
    hashes ^= hashes >> np.uint64(31)
    hashes *= factor
    return hashes


def rolling_hashes(identities: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """Return one number for every run of `size` numbers, in order, in a time that does not depend on the size."""
    import numpy as np

    count = len(identities) - size + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    powers, inverse = _powers(max(_POWERS_AT_HAND, 1 << len(identities).bit_length()))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(identities * powers[: len(identities)])])
    hashes: NDArray[np.uint64] = (sums[size:] - sums[:-size]) * inverse[:count]
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(FACTOR)
    return hashes


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return so many powers of a number, and of its inverse modulo 2^64."""
    import numpy as np

    powers, inverse = (np.full(count, factor, dtype=np.uint64) for factor in (FACTOR, pow(FACTOR, -1, 1 << 64)))
    powers[0] = inverse[0] = 1
    return np.cumprod(powers, dtype=np.uint64), np.cumprod(inverse, dtype=np.uint64)

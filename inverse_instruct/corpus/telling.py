"""How telling a piece of a benchmark is: the bits that say that a text with the same piece was copied.

Enters: the texts of the benchmarks themselves. Leaves: bits for words and for code, from how many of a benchmark's
tasks share a word (`given`, `plt` and `def` say little) and from how often a piece goes on in a new way. A name says
something where the copy has kept it; where it was renamed, only its place does. Not guaranteed: probabilities; the
bits are compared with thresholds that were measured, see `decontamination.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from evaluation.texts import TaskTexts
from inverse_instruct.corpus.code_tokens import Code, is_word
from inverse_instruct.corpus.shingles import words

_TASKS_BEFORE = 50  # as if so many tasks without a word had been seen, or a file of one task would know no common word
_EVERYDAY_SHARE = 0.2
_EVERYDAY = frozenset(
    "a add all also an and any are arr array arrays as at average b be between both by c calculate character "
    "characters check checks class code compute contain containing contains convert count create data def df dict "
    "digit digits duplicate duplicates each element elements else empty even example factorial false fibonacci file "
    "filter find first float for from function get given i if implement import in index input int integer integers "
    "into is it item items its j java javascript k key keys lambda largest last len length letter letters line lines "
    "list lists longest main make map max maximum method min minimum n name names negative new next no not np number "
    "numbers nums object odd of on one only or order other otherwise output palindrome pd plt positive prime print "
    "program python range remove result return returns reverse s same self set size smallest sort sorted str string "
    "strings sum take takes text tf than that the then these this three to torch total true two unique use using "
    "value values variable vowels we when whether which with without word words write x y you your".split()
)
"""Words of every exercise, of which a small benchmark alone cannot tell that they are common."""
_MOST_BITS_OF_PROSE = 6.0  # of a word; those of one text do not come independently
_MOST_BITS_OF_CODE = 5.0
_NEW_PAIR, _PAIR_AGAIN = 1.5, 0.3  # of two kinds of token that follow each other
_KEPT_NAME = 0.5  # share of its bits that a name has which could have been chosen otherwise
_SHORT_NUMBER, _NUMBER = 1.0, 3.0


class Telling:
    """The bits of words and code, as far as the tasks of some benchmarks tell."""

    def __init__(self, files: Iterable[Sequence[TaskTexts]]) -> None:
        """Count in how many tasks of each file a word is; of several files, the one where it is commonest counts."""
        self._shares = dict.fromkeys(_EVERYDAY, _EVERYDAY_SHARE)
        for tasks in files:
            spread = Counter(word for task in tasks for word in _words_of(task))
            for word, count in spread.items():
                share = (count - 0.5) / (len(tasks) + _TASKS_BEFORE)
                self._shares[word] = max(self._shares.get(word, 0.0), share)

    def of_prose(self, parts: Iterable[str]) -> float:
        """Return the bits of a description's words, each counted once."""
        return sum(min(_MOST_BITS_OF_PROSE, self._bits(word)) for word in set(parts))

    def of_code(self, code: Code, kept: Sequence[bool]) -> float:
        """Return the bits of code.

        Args:
            code: a piece of a benchmark.
            kept: for each token, whether the copy has the very same one.
        """
        bits = 0.0
        seen: set[str] = set()
        pairs: set[tuple[str, str]] = set()
        before, number = "", -2
        for token, back, same in zip(code.tokens, code.back.tolist(), kept, strict=True):
            kind = _kind(token, back)
            bits += _PAIR_AGAIN if (before, kind) in pairs else _NEW_PAIR
            pairs.add((before, kind))
            if token.isdecimal() and len(token) < 10:
                counts_on, number = abs(int(token) - number) <= 1, int(token)
                bits += 0 if counts_on or token in seen else _NUMBER if len(token) > 1 else _SHORT_NUMBER
            elif token[0].isdigit():
                bits += 0 if token in seen else _NUMBER
            elif is_word(token):
                bits += self._of_name(token, back, same, seen)
            seen.add(token)
            before = kind
        return bits

    def _of_name(self, name: str, back: int, same: bool, seen: set[str]) -> float:
        bits = min(_MOST_BITS_OF_CODE, self._bits(name))
        if back == 0:
            return 0.0 if name in seen else bits
        if name in seen:
            return 0.35 * math.log2(len(seen) + 1)  # which of the names it is again
        return _KEPT_NAME * bits if same else 0.0

    def _bits(self, word: str) -> float:
        share = self._shares.get(word)
        return -math.log2(share) if share else math.inf


def _words_of(task: TaskTexts) -> set[str]:
    return {word for text in (*task.prose, *task.code) for word in words(text.lower())}


def _kind(token: str, back: int) -> str:
    if back:
        return "name"
    if token[0].isdigit():
        return token if len(token) < 3 else "number"
    return "attribute" if is_word(token) else token

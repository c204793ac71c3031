"""Whether a row holds a piece of a benchmark (InverseCoder section 4.1, word n-grams and renamed code on top).

Enters: the texts of benchmarks, then one row after the other. Leaves: the id of a task that the row holds something of.

A row counts as contaminated if it holds

- a run of `ngram` words of a description, at least half of which are distinct words of two letters or more, and which
  are telling ("Write a function that takes a list of numbers as input and returns" is no proof),
- or, of one task, the whole description, a whole prompt or solution, or both, if that is telling enough:
  `_PROSE_BITS` of the one, `_CODE_BITS` of the other, or a half of each (`telling.py` has the measure). Names, white
  space, comments and quotes play no part in code, line ends and punctuation none in prose. What is said or written
  every day is no proof, be it a whole reference: "Checks if given string is a palindrome", `plt.legend(loc="best")`.

Not guaranteed: that a rephrased or translated copy is found, or one of a short text or solution alone, which anybody
may have written. How much is found, and how much is rejected without need, is measured by
`python -m tests.throughput.contamination`; `docs/decontamination.md` has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from evaluation.texts import TaskTexts
from inverse_instruct.corpus.benchmark_code import CodeIndex
from inverse_instruct.corpus.benchmark_prose import ProseIndex
from inverse_instruct.corpus.shingles import words
from inverse_instruct.corpus.telling import Telling

_PROSE_BITS = 21.0
_CODE_BITS = 48.0
_END = "\n"  # of a text among words


class BenchmarkIndex:
    """Benchmark texts, ready to be looked for in many rows; the time for one does not depend on their number."""

    def __init__(self, benchmarks: Sequence[Sequence[TaskTexts]], ngram: int) -> None:
        """Index the texts.

        Args:
            benchmarks: the tasks of each.
            ngram: shared run of this many words that counts as contamination.
        """
        telling = Telling(benchmarks)
        self._prose = ProseIndex(benchmarks, _idioms("prose.txt", "\n"), ngram, _PROSE_BITS, telling)
        self._code = CodeIndex(benchmarks, _idioms("code.txt", "\n-----\n"), telling)

    def match(self, *texts: str) -> str | None:
        """Return the id of a benchmark task of which a row holds something, such as `HumanEval/12`, or None.

        Args:
            texts: of one row, such as its instruction and its response.
        """
        parts = [part for text in texts for part in (*words(text.lower()), _END)]
        proof: dict[str, float] = defaultdict(float)
        for task, bits in self._prose.evidence(parts).items():
            proof[task] += bits / _PROSE_BITS
        for task, bits in self._code.evidence("\n\n".join(texts)).items():
            proof[task] += bits / _CODE_BITS
        task = max(proof, key=proof.__getitem__, default="")
        return task if proof[task] >= 1 else self._prose.run(parts)


@cache
def _idioms(name: str, end: str) -> list[str]:
    """Return what anybody writes: sentences, or pieces of code."""
    return (Path(__file__).parent / "idioms" / name).read_text(encoding="utf-8").split(end)

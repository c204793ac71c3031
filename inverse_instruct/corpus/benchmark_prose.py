"""Where a text holds what a benchmark's tasks say, and how telling that is.

Enters: the tasks of benchmarks, then one text after the other. Leaves: the bits that say that a text holds the
whole description of a task, or the task of which it holds a run of `ngram` words. Only words count, so that line ends,
quotes and comment marks play no part. Not guaranteed: that a rephrased or translated description is found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from evaluation.texts import TaskTexts
from inverse_instruct.corpus.shingles import numbers, rolling_hashes, words
from inverse_instruct.corpus.telling import Telling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ANCHOR_WORDS = 4
_MAX_SHARING_TASKS = 10


class ProseIndex:
    """The descriptions of benchmarks, ready to be looked for in many texts."""

    def __init__(
        self, files: Iterable[Sequence[TaskTexts]], idioms: Iterable[str], ngram: int, enough: float, telling: Telling
    ) -> None:
        """Index the descriptions of all tasks, file by file, without what is an idiom.

        Args:
            files: the tasks of each.
            idioms: sentences that anybody may write.
            ngram: words in a run.
            enough: bits from which a run counts.
            telling: measures them.
        """
        self._ngram = ngram
        self._enough = enough
        self._telling = telling
        everyday = [words(idiom.lower()) for idiom in idioms]
        self._everyday = {run for parts in everyday for run in rolling_hashes(numbers(parts), ngram).tolist()}
        wholes: dict[str, list[str]] = defaultdict(list)
        self._runs: dict[int, str] = {}
        for tasks in files:
            for task in tasks:
                for parts in (words(prose.lower()) for prose in task.prose):
                    if parts not in everyday:
                        wholes[_joined(parts)].append(task.task)
            for run, name in self._telling_runs(tasks).items():
                self._runs.setdefault(run, name)
        self._wholes = _by_anchor(wholes)
        self._anchors = _sorted(self._wholes)
        self._run_keys = _sorted(self._runs)

    def run(self, parts: list[str]) -> str | None:
        """Return the task of which a text, given as words, holds a run of `ngram`, if there is one."""
        found = _present(rolling_hashes(numbers(parts), self._ngram), self._run_keys)
        return self._runs[found[0]] if found else None

    def evidence(self, parts: list[str]) -> dict[str, float]:
        """Return the tasks of which a text holds a whole description, and the bits of the most telling one of each."""
        anchors = _present(rolling_hashes(numbers(parts), _ANCHOR_WORDS), self._anchors)
        joined = _joined(parts) if anchors else ""
        found: dict[str, float] = defaultdict(float)
        for whole, tasks in {pair for anchor in anchors for pair in self._wholes[anchor] if pair[0] in joined}:
            bits = self._telling.of_prose(whole.split())
            for task in tasks:
                found[task] = max(found[task], bits)
        return found

    def _telling_runs(self, tasks: Sequence[TaskTexts]) -> dict[int, str]:
        """Return the runs of words of one file's descriptions with the first task of each, boilerplate left out."""
        first: dict[int, str] = {}
        sharing: Counter[int] = Counter()
        for task in tasks:
            found = {run for prose in task.prose for run in self._runs_of(words(prose.lower()))}
            sharing.update(found)
            for run in found:
                first.setdefault(run, task.task)
        return {run: name for run, name in first.items() if sharing[run] <= _MAX_SHARING_TASKS}

    def _runs_of(self, parts: list[str]) -> Iterator[int]:
        for start, run in enumerate(rolling_hashes(numbers(parts), self._ngram).tolist()):
            telling = {part for part in parts[start : start + self._ngram] if part.isalpha() and len(part) > 1}
            is_telling = len(telling) * 2 >= self._ngram and self._telling.of_prose(telling) >= self._enough
            if is_telling and run not in self._everyday:
                yield run


def _joined(parts: Iterable[str]) -> str:
    return f" {' '.join(parts)} "


def _by_anchor(wholes: dict[str, list[str]]) -> dict[int, list[tuple[str, tuple[str, ...]]]]:
    """File each description under the rarest of its runs of words, so that common runs cause few comparisons."""
    windows = {whole: rolling_hashes(numbers(whole.split()), _ANCHOR_WORDS).tolist() for whole in wholes}
    counts = Counter(window for found in windows.values() for window in found)
    filed: dict[int, list[tuple[str, tuple[str, ...]]]] = {}
    for whole, tasks in wholes.items():
        if windows[whole]:
            rarest = min(windows[whole], key=counts.__getitem__)
            filed.setdefault(rarest, []).append((whole, tuple(dict.fromkeys(tasks))))
    return filed


def _sorted(keys: Iterable[int]) -> NDArray[np.uint64]:
    import numpy as np

    return np.array(sorted(keys), dtype=np.uint64)


def _present(hashes: NDArray[np.uint64], known: NDArray[np.uint64]) -> list[int]:
    """Return those of the hashes that are known, in order."""
    import numpy as np

    if not len(known) or not len(hashes):
        return []
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return hashes[known[places] == hashes].tolist()  # type: ignore[no-any-return]

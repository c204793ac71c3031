"""Whether a text holds a piece of a benchmark (InverseCoder section 4.1, and word n-grams on top).

Enters: benchmark files, then one text after the other. Leaves: the id of a task that the text holds something of.

A text counts as contaminated if it holds

- a whole reference: a prompt, the description in a docstring or comment, or a solution, compared as lower-case tokens,
  so white space plays no part, or
- a run of `ngram` words of a description, at least half of which are distinct words of two letters or more, and two of
  which are rare in that benchmark ("Write a function that takes a list of numbers as input and returns" is no proof).

References under `MIN_REFERENCE_CHARACTERS` characters or `_ANCHOR_TOKENS` tokens are not looked for (`return a + b` is
in every corpus), nor are runs shared by more than `_MAX_SHARING_TASKS` tasks of one file, which are the benchmark's
boilerplate. Not guaranteed: that a rephrased, translated or renamed copy is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.benchmark_references import References, references
from inverse_instruct.corpus_files import read_records
from inverse_instruct.errors import CorpusError
from inverse_instruct.shingles import tokens, window_hashes, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_REFERENCE_CHARACTERS = 40
_ANCHOR_TOKENS = 6
_MAX_SHARING_TASKS = 10
_COMMON_SHARE = 0.05
_RARE_WORDS = 2


class BenchmarkIndex:
    """Benchmark texts, ready to be looked for in many texts; the time for one does not depend on their number."""

    def __init__(self, paths: Sequence[str | Path], ngram: int) -> None:
        """Read the benchmark files.

        Args:
            paths: JSONL, JSON or Parquet files, the first two also .gz.
            ngram: shared run of this many words that counts as contamination.

        Raises:
            CorpusError: a file cannot be read or holds no benchmark text.
        """
        self._ngram = ngram
        wholes: dict[str, str] = {}
        runs: dict[int, str] = {}
        for path in map(Path, paths):
            tasks = _read_tasks(path)
            for task in tasks:
                for text in (*task.prose, *task.code):
                    if len(joined := _joined(tokens(text.lower()))) >= MIN_REFERENCE_CHARACTERS:
                        wholes.setdefault(joined, task.task)
            for run, name in _distinctive_runs(tasks, ngram).items():
                runs.setdefault(run, name)
        self._wholes = _by_anchor(wholes)
        self._anchors = _sorted(self._wholes)
        self._runs = runs
        self._run_keys = _sorted(runs)

    def match(self, text: str) -> str | None:
        """Return the id of a benchmark task of which the text holds something, such as `HumanEval/12`, or None."""
        parts = tokens(text.lower())
        return self._match_whole(parts) or self._match_run(parts)

    def _match_whole(self, parts: list[str]) -> str | None:
        anchors = _present(window_hashes(parts, _ANCHOR_TOKENS), self._anchors)
        if not anchors:
            return None
        joined = _joined(parts)
        return next((task for anchor in anchors for whole, task in self._wholes[anchor] if whole in joined), None)

    def _match_run(self, parts: list[str]) -> str | None:
        only_words = [part for part in parts if part[0].isalnum() or part[0] == "_"]
        found = _present(window_hashes(only_words, self._ngram), self._run_keys)
        return self._runs[found[0]] if found else None


def _read_tasks(path: Path) -> list[References]:
    tasks = [references(row.fields, path.name.split(".")[0], row.line) for row in read_records(path) if row.fields]
    if not any(task.prose or task.code for task in tasks):
        raise CorpusError(f"{path}: holds no benchmark; its rows need a prompt, text, docstring or solution field")
    return tasks


def _joined(parts: Iterable[str]) -> str:
    return f" {' '.join(parts)} "


def _by_anchor(wholes: dict[str, str]) -> dict[int, list[tuple[str, str]]]:
    """File each reference under the rarest of its runs of tokens, so that common runs cause few comparisons."""
    windows = {whole: window_hashes(whole.split(), _ANCHOR_TOKENS).tolist() for whole in wholes}
    counts = Counter(window for found in windows.values() for window in found)
    filed: dict[int, list[tuple[str, str]]] = {}
    for whole, task in wholes.items():
        if windows[whole]:
            filed.setdefault(min(windows[whole], key=counts.__getitem__), []).append((whole, task))
    return filed


def _distinctive_runs(tasks: list[References], ngram: int) -> dict[int, str]:
    """Return the runs of words of one file's descriptions with the first task of each, boilerplate left out."""
    descriptions = [(task.task, [words(prose.lower()) for prose in task.prose]) for task in tasks]
    spread = Counter(word for _, texts in descriptions for word in {word for text in texts for word in text})
    limit = max(_MAX_SHARING_TASKS, _COMMON_SHARE * len(tasks))
    common = {word for word, count in spread.items() if count > limit}
    first: dict[int, str] = {}
    sharing: Counter[int] = Counter()
    for name, texts in descriptions:
        found = {run for text in texts for run in _runs(text, ngram, common)}
        sharing.update(found)
        for run in found:
            first.setdefault(run, name)
    return {run: name for run, name in first.items() if sharing[run] <= _MAX_SHARING_TASKS}


def _runs(parts: list[str], ngram: int, common: set[str]) -> list[int]:
    runs = []
    for start, run in enumerate(window_hashes(parts, ngram).tolist()):
        telling = {part for part in parts[start : start + ngram] if part.isalpha() and len(part) > 1}
        if len(telling) * 2 >= ngram and len(telling - common) >= _RARE_WORDS:
            runs.append(run)
    return runs


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

"""One analysis: what each set of instruction data is like, beside the others.

Enters: sets of pairs, and benchmarks by name. Leaves: an `Analysis`, whose JSON has stable keys. The TF-IDF weights are
those of all sets and benchmarks together, so that similarities can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.texts import TaskTexts
from inverse_instruct.analysis import measures
from inverse_instruct.analysis.measures import Embed, SetMeasures
from inverse_instruct.analysis.pairs import PairSet
from inverse_instruct.corpus.deduplication import NearDuplicates
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.errors import CorpusError
from inverse_instruct.store.run_dir import ANALYSIS_FORMAT


@dataclass(frozen=True)
class Analysis:
    """What sets are like."""

    sets: tuple[SetMeasures, ...]
    overlap: dict[str, float]  # "B in A" -> share of B's rows that are near duplicates (at 0.6) of one of A's

    def as_json(self) -> dict[str, Any]:
        """Return plain values, with the number of their format."""
        return {"format": ANALYSIS_FORMAT} | asdict(self)


def analyze(
    sets: Sequence[PairSet], benchmarks: Mapping[str, Sequence[TaskTexts]], model: Embed | None = None
) -> Analysis:
    """Measure sets.

    Args:
        sets: each is gone through several times.
        benchmarks: name -> its tasks.
        model: an embedding, whose vectors have length 1, for the categories and a second similarity.

    Raises:
        CorpusError: a set cannot be read, or has no row.
        ModelError: the embedding fails.
    """
    words = TfIdf(_texts(sets, benchmarks), measures.DIMENSIONS)
    found = tuple(_measure(each, benchmarks, words, model) for each in sets)
    overlap = {
        f"{other.name} in {one.name}": _overlap(one, other)
        for place, one in enumerate(sets)
        for other in sets[place + 1 :]
    }
    return Analysis(found, overlap)


def _texts(sets: Sequence[PairSet], benchmarks: Mapping[str, Sequence[TaskTexts]]) -> Iterator[str]:
    for each in sets:
        yield from (pair.text for pair in each)
    for tasks in benchmarks.values():
        yield from ("\n".join((*task.prose, *task.code)) for task in tasks)


def _measure(
    each: PairSet, benchmarks: Mapping[str, Sequence[TaskTexts]], words: Embed, model: Embed | None
) -> SetMeasures:
    rows = sum(1 for _ in each)
    if not rows:
        raise CorpusError(f"{each.path}: holds no row that can be read; check the path and its layout")
    first, both = measures.verbs(pair.instruction for pair in each)
    return SetMeasures(
        name=each.name,
        rows=rows,
        unreadable=dict(each.unreadable),
        instruction=measures.lengths(pair.instruction for pair in each),
        response=measures.lengths(pair.response for pair in each),
        verbs=tuple(first.most_common(measures.SHOWN)),
        verbs_with_objects=tuple(both.most_common(measures.SHOWN)),
        beginnings=tuple(measures.beginnings(pair.instruction for pair in each).most_common(measures.PREFIXES)),
        near_duplicates={
            str(threshold): measures.near_duplicate_share((pair.text for pair in each), threshold)
            for threshold in measures.THRESHOLDS
        },
        similarity={name: measures.similarity(each, tasks, words) for name, tasks in benchmarks.items()},
        edits=measures.edits(each),
        tasks=tuple(Counter(pair.task for pair in each if pair.task).most_common()),
        categories=tuple(measures.categories(each, model).most_common()) if model else (),
        embedded_similarity={name: measures.similarity(each, tasks, model) for name, tasks in benchmarks.items()}
        if model
        else {},
    )


def _overlap(one: PairSet, other: PairSet) -> float:
    known = NearDuplicates(measures.THRESHOLDS[0])
    for pair in one:
        known.find_or_add("", pair.text)
    found = [known.find(pair.text) is not None for pair in other]
    return sum(found) / len(found)

"""One analysis: what each set of instruction data is like, beside the others.

Enters: sets of pairs, and benchmarks by name. Leaves: an `Analysis`, whose JSON has stable keys. The TF-IDF weights are
those of all sets and benchmarks together, so that similarities can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.texts import TaskTexts
from inverse_instruct.analysis import measures
from inverse_instruct.analysis.measures import SetMeasures
from inverse_instruct.analysis.pairs import PairSet
from inverse_instruct.corpus.deduplication import NearDuplicates
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.errors import CorpusError


@dataclass(frozen=True)
class Analysis:
    """What sets are like."""

    sets: tuple[SetMeasures, ...]
    overlap: dict[str, float]  # "B in A" -> share of B's rows that are near duplicates (at 0.6) of one of A's

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def analyze(sets: Sequence[PairSet], benchmarks: Mapping[str, Sequence[TaskTexts]]) -> Analysis:
    """Measure sets.

    Args:
        sets: each is gone through several times.
        benchmarks: name -> its tasks.

    Raises:
        CorpusError: a set cannot be read, or has no row.
    """
    embed = TfIdf(_texts(sets, benchmarks), measures.DIMENSIONS)
    found = tuple(_measure(each, benchmarks, embed) for each in sets)
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


def _measure(each: PairSet, benchmarks: Mapping[str, Sequence[TaskTexts]], embed: TfIdf) -> SetMeasures:
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
        similarity={name: measures.similarity(each, tasks, embed) for name, tasks in benchmarks.items()},
        edits=measures.edits(each),
    )


def _overlap(one: PairSet, other: PairSet) -> float:
    known = NearDuplicates(measures.THRESHOLDS[0])
    for pair in one:
        known.find_or_add("", pair.text)
    found = [known.find(pair.text) is not None for pair in other]
    return sum(found) / len(found)

"""Rows that ask for what a task of a benchmark asks for, in other words.

Enters: the texts of benchmarks, an embedding model, then instructions. Leaves: of each instruction the task whose
description is nearest, if it is near enough. Descriptions are compared, not programs: programs of other tasks are often
nearer than the same one in another language. Not guaranteed: that a neighbor is a copy, or that a copy is a neighbor;
`python -m tests.throughput.rephrased` measures both for a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from inverse_instruct.benchmarks.kept_out import Texts
from inverse_instruct.inference.embedding.process import SentenceModel, unit_vectors
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.stages.tasks.embedding import Embed


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The nearest task of all benchmarks."""

    task: str
    similarity: float  # cosine

    def __str__(self) -> str:
        """Name it for a person."""
        return f"{self.task} in other words, {self.similarity:.3f}"


Find = Callable[[Sequence[str]], list[Neighbor | None]]
"""Instructions to their neighbors; None: none is near enough."""


@contextmanager
def open_neighbors(model: str, benchmarks: Sequence[Texts], least: float) -> Iterator[Find]:
    """Open the embedding model for as long as neighbors are looked for.

    Args:
        model: a folder of sentence-transformers, or a name on the hub.
        benchmarks: of which the descriptions count.
        least: similarity of a neighbor.

    Raises:
        ModelError: the embedding model cannot be used.
    """
    with SentenceModel(resolve_model(model)) as embed:
        yield find_neighbors(embed, benchmarks, least)


def find_neighbors(embed: Embed, benchmarks: Sequence[Texts], least: float) -> Find:
    """Return what finds the neighbors of instructions."""
    known = [(task.task, prose) for texts in benchmarks for task in texts for prose in task.prose if prose.strip()]
    vectors = unit_vectors(embed([prose for _, prose in known])) if known else None

    def find(instructions: Sequence[str]) -> list[Neighbor | None]:
        found: list[Neighbor | None] = [None] * len(instructions)
        places = [place for place, instruction in enumerate(instructions) if instruction.strip()]
        if vectors is None or not places:
            return found
        cosines = unit_vectors(embed([instructions[place] for place in places])) @ vectors.T
        for place, nearest, similarity in zip(places, cosines.argmax(axis=1), cosines.max(axis=1), strict=True):
            if similarity >= np.float32(least):
                found[place] = Neighbor(known[int(nearest)][0], min(1.0, float(similarity)))
        return found

    return find

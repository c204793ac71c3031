"""Drafts without those that come too near to a benchmark's solution (the leakage check of WaveCoder).

Enters: drafts, and what the benchmarks say that are kept out. Leaves: `drafts.parquet` without the drafts that are
among the nearest to a piece of code of a benchmark, by the cosine of their embeddings, and at least so similar; a
rejection names the task and the similarity. What is found is a paraphrase as well as a copy; `selection` finds copies
by their words. Not guaranteed: that a similar program is a leak, or that a leak is similar.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.tasks import LeakageSection
from inverse_instruct.inference.embedding.process import unit_vectors
from inverse_instruct.records import Draft, Reason, Rejection
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Rows, Stage
from inverse_instruct.stages.tasks.embedding import embedding_digests, open_embedding

BLOCK = 1024  # pieces of benchmarks that are compared with all drafts at once
ROWS_PER_SECOND = 50  # nominal
DRAFTS = Rows("drafts.parquet", Draft)


def check_leakage(room: Room) -> None:
    """Let the drafts go on that are not near to a benchmark."""
    section: LeakageSection = room.section()
    drafts: list[Draft] = list(room.read("drafts"))
    pieces = [
        (task.task, code) for texts in read_kept_out(room.section("kept_out")) for task in texts for code in task.code
    ]
    near: dict[int, tuple[float, str]] = {}
    if drafts and pieces and section.nearest:
        said = [f"{draft.input}\n{draft.response}" for draft in drafts]
        texts = [*said, *(code for _, code in pieces)]
        with open_embedding(room.section("coreset"), [draft.id for draft in drafts], texts) as (_, embed):
            near = nearest(
                unit_vectors(embed(said)),
                unit_vectors(embed(texts[len(said) :])),
                [task for task, _ in pieces],
                section,
            )
    for number, draft in enumerate(drafts):
        if number in near:
            similarity, task = near[number]
            detail = f"{similarity:.3f} to {task}"
            room.reject(Rejection(draft.id, "leakage", Reason.CONTAMINATED, detail))
        else:
            room.keep(draft)
    room.metrics |= {"compared_with": len(pieces)}


def nearest(
    rows: NDArray[np.float32], pieces: NDArray[np.float32], tasks: Sequence[str], section: LeakageSection
) -> dict[int, tuple[float, str]]:
    """Return the rows that are among the nearest of a piece and similar enough, with the most similar task.

    Args:
        rows: (n, d), of length 1.
        pieces: (m, d), of length 1.
        tasks: of the pieces.
        section: how many of the nearest, and how similar.
    """
    found: dict[int, tuple[float, str]] = {}
    count = min(section.nearest, len(rows))
    for start in range(0, len(pieces), BLOCK):
        cosines = pieces[start : start + BLOCK] @ rows.T
        for piece, row in enumerate(np.argsort(-cosines, axis=1, kind="stable")[:, :count]):
            for place in map(int, row):
                similarity = float(cosines[piece, place])
                if similarity >= section.min_similarity:
                    found[place] = max(found.get(place, (0.0, "")), (similarity, tasks[start + piece]))
    return found


def _outside(config: RunConfig) -> list[str]:
    return [*kept_out_digests(config), *embedding_digests(config.coreset.embedding)]


def _cost(estimate: Estimate) -> Cost:
    rows = min(estimate.rows, estimate.config.coreset.size)
    return Cost(rows, 0, rows / ROWS_PER_SECOND if estimate.config.coreset.embedding else 0.0)


LEAKAGE = Stage(
    "leakage",
    "leave out drafts that come too near to a benchmark's solution",
    check_leakage,
    unit="draft",
    writes=DRAFTS,
    reads={"drafts": Input("generate", DRAFTS)},
    sections=("kept_out", "coreset"),
    outside=_outside,
    if_empty="look at its rejections, and start another --run-dir with a higher leakage.min_similarity",
    cost=_cost,
)

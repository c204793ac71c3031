"""Snippets to a few that cover them all, by k-center greedy on their embeddings (WaveCoder).

Enters: the snippets of the corpus. Leaves: `coreset.parquet`, exactly the rows that were selected, in the order of the
corpus, and `rejections.parquet`. The order of the input does not matter: ties are broken by the snippet's id. Vectors
are kept in `embeddings/` by what they depend on, so neither a kill nor another size has them computed again. Memory
grows with the snippets by their vectors, never with pairs of them. Not guaranteed: the same choice on machines that
round differently.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.tasks import CoresetSection
from inverse_instruct.corpus.k_center import Coreset, coverage, k_center_greedy
from inverse_instruct.records import Reason, Rejection, Snippet, digest
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Rows, Stage, When
from inverse_instruct.stages.tasks.embedding import Embed, embedding_digests, embedding_problems, open_embedding
from inverse_instruct.store.files import atomic_write

SHARD = 1024  # snippets whose vectors are in one file
EMBEDDINGS = "embeddings"
POINTS_PER_SECOND = 5e7  # distances to one center, nominal


def choose_coreset(room: Room) -> None:
    """Let the snippets go on that are chosen.

    Raises:
        ModelError: the embedding model cannot be used.
    """
    section: CoresetSection = room.section()
    ids = [snippet.id for snippet in room.read("snippets")]
    if not ids:
        return
    place_of = {name: place for place, name in enumerate(sorted(set(ids)))}
    points = _vectors(room, ids, place_of)
    found = k_center_greedy(points, section.size)
    chosen, seen = set(found.chosen), set[int]()
    for snippet in room.read("snippets"):
        place = place_of[snippet.id]
        if place in seen:
            room.reject(Rejection(snippet.id, "coreset", Reason.EXACT_DUPLICATE, "the same snippet"))
        elif place in chosen:
            room.keep(snippet)
        else:
            detail = f"{found.distances[place]:.4f} from the nearest that is selected"
            room.reject(Rejection(snippet.id, "coreset", Reason.NOT_SELECTED, detail))
        seen.add(place)
    by_chance = random.Random(room.seed("coreset")).sample(range(len(points)), len(chosen))
    room.metrics |= _coverage("", found) | _coverage("random_", coverage(points, by_chance))
    room.metrics |= {"dimensions": points.shape[1]}


def _coverage(name: str, found: Coreset) -> dict[str, float]:
    """Return how far snippets are from the nearest chosen one: the farthest of them, and on average."""
    return {f"{name}radius": round(found.radius, 6), f"{name}mean_distance": round(float(found.distances.mean()), 6)}


def _vectors(room: Room, ids: Sequence[str], place_of: dict[str, int]) -> NDArray[np.float32]:
    """Return the vectors of all snippets, in the order of their ids."""
    points: NDArray[np.float32] | None = None
    folder = room.place.folder / EMBEDDINGS
    texts = (snippet.code for snippet in room.read("snippets"))
    with open_embedding(room.section(), ids, texts) as (name, embed):
        room.progress.expect(len(ids))
        files, snippets = [], room.read("snippets")
        while shard := list(islice(snippets, SHARD)):
            files.append(folder / f"{digest(name, *(snippet.id for snippet in shard))}.npy")
            vectors = _kept(files[-1], embed, shard)
            if points is None:
                points = np.empty((len(place_of), vectors.shape[1]), np.float32)
            points[[place_of[snippet.id] for snippet in shard]] = vectors
            room.progress.advance(len(shard))
    for stale in set(folder.iterdir()) - set(files):
        stale.unlink()
    assert points is not None, "there are snippets"
    return points


def _kept(file: Path, embed: Embed, shard: Sequence[Snippet]) -> NDArray[np.float32]:
    """Return the vectors of some snippets, computed once."""
    try:
        return np.asarray(np.load(file, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        vectors = embed([snippet.code for snippet in shard])
    with atomic_write(file, "wb") as stream:
        np.save(stream, vectors)
    return vectors


def _outside(config: RunConfig) -> list[str]:
    return embedding_digests(config.coreset.embedding)


def _check(config: RunConfig) -> list[str]:
    return embedding_problems("coreset.embedding", config.coreset.embedding)


def _cost(estimate: Estimate) -> Cost:
    chosen = min(estimate.rows, estimate.config.coreset.size)
    return Cost(estimate.rows, estimate.tokens, estimate.rows * chosen / POINTS_PER_SECOND)


CORESET = Stage(
    "coreset",
    "choose snippets that cover all of them",
    choose_coreset,
    unit="chosen snippet",
    writes=Rows("coreset.parquet", Snippet),
    reads={"snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE)},
    outside=_outside,
    check=_check,
    all_devices=True,
    cost=_cost,
)

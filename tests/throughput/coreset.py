"""Measure the coreset: how well it covers real snippets, how long it takes beside a loop with scikit-learn, its memory.

    python -m tests.throughput.coreset $INVERSE_INSTRUCT_TEST_DATA/corpora/evol_code_8k_round*.json.gz \
        $INVERSE_INSTRUCT_TEST_DATA/corpora/gpteacher_codegen_instruct.json.gz

Enters: corpus files; scikit-learn must be there, which nothing else here needs. Leaves: one JSON object on standard
output: the coverage radius of the choice and of random choices of the same size, seconds of both ways on the same
vectors in turn and their ratio, and the peak memory that many random vectors take beyond themselves. Not guaranteed:
figures that mean anything on a busy machine, but for the ratio, as both ways are timed in turn.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus.k_center import Points, coverage, k_center_greedy
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.inference.embedding.process import SentenceModel
from inverse_instruct.records import Snippet
from inverse_instruct.store.rows import iterate_rows
from tests.playing import preprocess


def snippets_of(corpus: list[str], count: int) -> list[str]:
    """Return the code of the first snippets of a corpus, sorted by their ids."""
    with tempfile.TemporaryDirectory() as folder:
        preprocess([CorpusSource(path=path) for path in corpus], PreprocessSection(), Path(folder))
        snippets = list(iterate_rows(Path(folder, "snippets.parquet"), Snippet))[:count]
    return [snippet.code for snippet in sorted(snippets, key=lambda snippet: snippet.id)]


def vectors_of(texts: list[str], embedding: str | None) -> Points:
    """Return the vectors of texts, by a folder of sentence-transformers or TF-IDF."""
    if embedding is None:
        return TfIdf(texts, 384)(texts)
    with SentenceModel(Path(embedding)) as model:
        return model(texts)


def with_scikit_learn(points: Points, size: int, first: int) -> list[int]:
    """Choose as the published code does: one point at a time."""
    chosen = [first]
    nearest = pairwise_distances(points, points[[first]])[:, 0]
    while len(chosen) < size:
        point = int(nearest.argmax())
        chosen.append(point)
        nearest = np.minimum(nearest, pairwise_distances(points, points[[point]])[:, 0])
    return chosen


def times(points: Points, size: int, runs: int) -> dict[str, Any]:
    """Time both ways in turn; the ratio is that of the least times."""
    ours, loop = [], []
    chosen: list[int] = []
    other: list[int] = []
    for _ in range(runs):
        started = time.perf_counter()
        chosen = k_center_greedy(points, size).chosen
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        other = with_scikit_learn(points, size, chosen[0])
        loop.append(time.perf_counter() - started)
    return {
        "seconds": [round(value, 3) for value in ours],
        "scikit_learn_seconds": [round(value, 3) for value in loop],
        "ratio": round(min(loop) / min(ours), 2),
        "chosen_by_both": len(set(chosen) & set(other)),
        "scikit_learn_radius": round(coverage(points, other).radius, 4),
    }


def memory(count: int, size: int) -> dict[str, Any]:
    """Return seconds and peak bytes beyond the vectors, for random vectors of 384 dimensions."""
    points = np.random.default_rng(0).standard_normal((count, 384), dtype=np.float32)
    tracemalloc.start()
    started = time.perf_counter()
    k_center_greedy(points, size)
    seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"points": count, "chosen": size, "seconds": round(seconds, 2), "peak_mib": round(peak / 2**20, 1)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--embedding", help="folder of sentence-transformers (default: TF-IDF)")
    parser.add_argument("--snippets", type=int, default=5000)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--points", type=int, default=100_000, help="random vectors whose memory is measured")
    arguments = parser.parse_args()
    points = vectors_of(snippets_of(arguments.corpus, arguments.snippets), arguments.embedding)
    found = k_center_greedy(points, arguments.size)
    by_chance = [
        coverage(points, random.Random(seed).sample(range(len(points)), arguments.size)).radius for seed in range(20)
    ]
    figures = {
        "snippets": len(points),
        "chosen": arguments.size,
        "radius": round(found.radius, 4),
        "random_radius_mean": round(sum(by_chance) / len(by_chance), 4),
        "random_radius_least": round(min(by_chance), 4),
        **times(points, arguments.size, arguments.runs),
        "memory": memory(arguments.points, arguments.size),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

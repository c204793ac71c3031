"""How well descriptions in other words are told from others by an embedding model, for `preprocess.embedding`.

Enters: a model, a benchmark, files of the same tasks in other words or other programming languages, each row with the
number of its task at the end of its id, and rows of a corpus. Leaves, on standard output, for each similarity: the
share of the tasks in other words whose nearest task is the same and so near, and of the corpus's rows with a task so
near, of which the nearest ones are shown, to be read.

    python -m tests.throughput.rephrased MODEL --benchmark HumanEval.jsonl.gz --reworded js.jsonl.gz java.jsonl.gz \
        --field docstring --corpus rows.json.gz
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from evaluation.rows import read_file
from evaluation.texts import read_texts
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.records import SourceRow
from inverse_instruct.stages.tasks.neighbors import Neighbor, open_neighbors

THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SHOWN = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--benchmark", type=Path, required=True)
    parser.add_argument("--reworded", nargs="*", type=Path, default=[])
    parser.add_argument("--field", default="docstring", help="of the reworded rows, that describes the task")
    parser.add_argument("--corpus", nargs="*", type=Path, default=[])
    parser.add_argument("--rows", type=int, default=1000, help="of each corpus")
    arguments = parser.parse_args()
    reworded = [
        (row.text("task_id").rpartition("/")[2], row.text(arguments.field))
        for path in arguments.reworded
        for row in read_file(path).rows
    ]
    instructions = [
        row.instruction
        for path in arguments.corpus
        for row in islice(read_source(CorpusSource(path=str(path))), arguments.rows)
        if isinstance(row, SourceRow)
    ]
    with open_neighbors(arguments.model, [read_texts(arguments.benchmark)], -1.0) as find:
        found = find([text for _, text in reworded])
        others = find(instructions)
    print(f"{len(reworded)} tasks in other words, {len(instructions)} rows of corpora")
    for least in THRESHOLDS:
        right = [_is(near, number) and _at(near, least) for near, (number, _) in zip(found, reworded, strict=True)]
        print(
            f"{least}: {100 * sum(right) / max(1, len(right)):.1f} % found, "
            f"{100 * sum(_at(near, least) for near in others) / max(1, len(others)):.2f} % of the corpora"
        )
    pairs = [(near.similarity, near.task, said) for near, said in zip(others, instructions, strict=True) if near]
    for similarity, task, said in sorted(pairs, reverse=True)[:SHOWN]:
        print(f"{similarity:.3f} {task}: {' '.join(said.split())[:150]}")


def _is(near: Neighbor | None, number: str) -> bool:
    return near is not None and near.task.rpartition("/")[2] == number


def _at(near: Neighbor | None, least: float) -> bool:
    return near is not None and near.similarity >= least


if __name__ == "__main__":
    main()

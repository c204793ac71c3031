"""Drafts near to a benchmark's solution are left out, the nearest ones of each, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.tasks import LeakageSection
from inverse_instruct.records import Draft
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.leakage import LEAKAGE, nearest
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_stage

SOLUTION = """    best, current = values[0], values[0]
    for value in values[1:]:
        current = max(value, current + value)
        best = max(best, current)
    return best
"""
PROMPT = 'def largest_sum(values):\n    """Return the largest sum of neighbors."""\n'
OTHERS = [
    "def parse_invoice(path):\n    return json.load(open(path))",
    "def join_words(words, glue):\n    return glue.join(words)",
    "class Socket:\n    def close(self):\n        self.connection.shutdown()",
    "def greet(name):\n    print('Hello', name)",
]


def draft(name: str, code: str, **fields: Any) -> Draft:
    made = Draft(name, ["s"], "generation", f"Do {name}.", "", f"```python\n{code}\n```", "python", 0, 0, "m", "p")
    return replace(made, **fields)


def play(folder: Path, drafts: list[Draft], **section: Any) -> tuple[list[str], dict[str, str]]:
    folder.mkdir(exist_ok=True)
    row = {"task_id": "B/7", "prompt": PROMPT, "entry_point": "largest_sum", "canonical_solution": SOLUTION}
    (folder / "bench.jsonl").write_text(json.dumps(row) + "\n")
    manifest = play_stage(
        LEAKAGE,
        folder / "out",
        {"drafts": drafts},
        preprocess={"benchmarks": [str(folder / "bench.jsonl")]},
        leakage=section,
    )
    assert manifest.rows_in == len(drafts)
    kept = [row.id for row in iterate_rows(folder / "out" / "drafts.parquet", Draft)]
    return kept, {row["row_id"]: row["detail"] for row in read_rows(folder / "out" / "rejections.parquet")}


COPY = PROMPT + SOLUTION
REWRITTEN = COPY.replace('    """Return the largest sum of neighbors."""\n', "").replace(
    "best, current", "current, best"
)
DRAFTS = [draft(f"d{number}", code) for number, code in enumerate(OTHERS)]


def test_a_row_near_to_a_solution_is_left_out_with_the_task_and_the_similarity(tmp_path: Path) -> None:
    given = [*DRAFTS, draft("leak", REWRITTEN), draft("input", "x = 1", input=f"```python\n{COPY}\n```")]
    kept, rejected = play(tmp_path, given, min_similarity=0.75)
    assert kept == ["d0", "d1", "d2", "d3"] and rejected.keys() == {"leak", "input"}
    assert all(detail.endswith(" to B/7") and float(detail.split()[0]) >= 0.75 for detail in rejected.values())


def test_only_so_many_of_the_nearest_are_looked_at(tmp_path: Path) -> None:
    given = [*DRAFTS, *(draft(f"leak{number}", f"{COPY}# {number}") for number in range(4))]
    for count in (0, 1, 3):
        _, rejected = play(tmp_path / str(count), given, nearest=count, min_similarity=0.8)
        assert (len(rejected) >= count) and (len(rejected) <= 3 * count), "of each piece of the task"


def test_the_paper_leaves_out_the_nearest_however_far(tmp_path: Path) -> None:
    _, rejected = play(tmp_path, DRAFTS, nearest=2, min_similarity=-1)
    assert len(rejected) >= 2


def test_without_benchmarks_nothing_is_left_out(tmp_path: Path) -> None:
    manifest = play_stage(LEAKAGE, tmp_path / "none", {"drafts": DRAFTS}, preprocess={"benchmarks": []})
    assert manifest.rows_out == len(DRAFTS) and manifest.metrics["compared_with"] == 0


def test_the_most_similar_task_is_named(tmp_path: Path) -> None:
    rows = np.eye(3, dtype=np.float32)
    pieces = np.array([[0.8, 0.6, 0], [0.6, 0.8, 0], [0, 0.1, 0.99]], np.float32)
    found = nearest(rows, pieces, ["a", "b", "c"], LeakageSection(nearest=2, min_similarity=0.5))
    assert {place: (round(similarity, 2), task) for place, (similarity, task) in found.items()} == {
        0: (0.8, "a"), 1: (0.8, "b"), 2: (0.99, "c"),
    }  # fmt: skip


def test_its_key_has_the_benchmarks_and_the_embedding() -> None:
    world = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}
    changes: list[dict[str, Any]] = [
        {"preprocess": {"benchmarks": []}},
        {"preprocess": {"benchmarks": ["mini"]}},
        {"preprocess": {"benchmarks": []}, "coreset": {"dimensions": 100}},
        {"preprocess": {"benchmarks": []}, "leakage": {"nearest": 1}},
    ]
    keys = {make_key(LEAKAGE, RunConfig.model_validate(world | change), [], None) for change in changes}
    assert len(keys) == 4

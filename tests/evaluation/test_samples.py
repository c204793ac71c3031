"""Samples are read as EvalPlus writes them, and a choice of tasks means what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Sample, choose_tasks, read_samples

TASKS = [f"HumanEval/{number}" for number in range(12)]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_samples_come_in_the_suites_order_and_are_counted_per_task(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl",
        {"task_id": "b", "solution": "1"},
        {"task_id": "a", "solution": "2", "_identifier": "a_0"},
        {"task_id": "other", "solution": "x"},
        {"task_id": "b", "completion": " + 3"},
    )
    assert read_samples(path, ["a", "b"], {"b": "0"}) == [
        Sample("a", 0, "2"),
        Sample("b", 0, "1"),
        Sample("b", 1, "0 + 3"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a", "solution": "x"}, "no sample for 1 of 2 tasks: b"),
        ({"task_id": "a", "solution": 3}, "s.jsonl:1: solution: must be text"),
        ({"task_id": "a", "completion": "x"}, "s.jsonl:1: solution: must be text"),
        ({"solution": "x"}, "s.jsonl:1: task_id"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        read_samples(write(tmp_path / "s.jsonl", row), ["a", "b"])


@pytest.mark.parametrize(
    ("wanted", "limit", "numbers"),
    [
        (None, None, range(12)),
        (None, 2, [0, 1]),
        ("HumanEval/3", None, [3]),
        ("3, 1", None, [1, 3]),
        ("HumanEval/9-20,0", None, [0, 9, 10, 11]),
        ("2-4", 2, [2, 3]),
    ],
)
def test_tasks_by_id_number_and_range(wanted: str | None, limit: int | None, numbers: list[int]) -> None:
    assert choose_tasks(TASKS, wanted, limit) == [TASKS[number] for number in numbers]


@pytest.mark.parametrize("wanted", ["HumanEval/12", "20-30", "Mbpp/1-3", "x"])
def test_a_choice_that_means_nothing_is_refused(wanted: str) -> None:
    with pytest.raises(BenchmarkError, match="means no task"):
        choose_tasks(TASKS, f"1,{wanted}", None)

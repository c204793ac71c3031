"""Samples are read as EvalPlus writes them, and a choice of tasks means what it says."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Sample, choose_tasks, read_samples
from evaluation.samples import find_samples

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


STEMS = {"a": "def f(x):\n", "b": ""}


@pytest.mark.parametrize(
    ("row", "solution"),
    [
        ({"completion": "    return x"}, "def f(x):\n    return x"),
        ({"completion": ""}, "def f(x):\n"),
        ({"solution": "f = abs"}, "f = abs"),
        ({"solution": "f = abs", "completion": None}, "f = abs"),
        ({"solution": None, "completion": "    return x"}, "def f(x):\n    return x"),
        ({"solution": "def f(x):\n    return x\n", "completion": "    return x"}, "def f(x):\n    return x\n"),
        ({"solution": "f = abs", "completion": "f = abs\n"}, "f = abs"),
    ],
)
def test_a_row_is_a_solution_or_a_completion(tmp_path: Path, row: dict[str, Any], solution: str) -> None:
    path = write(tmp_path / "s.jsonl", {"task_id": "a", **row})
    assert read_samples(path, ["a"], STEMS) == [Sample("a", 0, solution)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a"}, "s.jsonl:1: has neither solution .* nor completion"),
        ({"task_id": "a", "generation": "x"}, "s.jsonl:1: has neither solution .* nor completion"),
        ({"task_id": "a", "solution": None}, "s.jsonl:1: has neither solution .* nor completion"),
        ({"task_id": "a", "solution": "x", "completion": "y"}, "s.jsonl:1: solution and completion are not the same"),
        ({"task_id": "a", "completion": ["x"]}, "s.jsonl:1: completion: must be text"),
        ({"task_id": "a", "solution": ["x"]}, "s.jsonl:1: solution: must be text"),
        ({"task_id": None, "solution": "x"}, "s.jsonl:1: task_id"),
        ({"task_id": "c", "solution": "x"}, "no sample for 1 of 1 tasks: a; .* it has samples of c"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        read_samples(write(tmp_path / "s.jsonl", row), ["a"], STEMS)


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


WRITINGS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "lines": as_lines,
    "compressed": lambda rows: gzip.compress(as_lines(rows)),
    "with a byte order mark": lambda rows: b"\xef\xbb\xbf" + as_lines(rows),
    "with blank lines": lambda rows: b"\n  \n" + as_lines(rows).replace(b"\n", b"\n\n") + b"\n \n",
    "with Windows line ends": lambda rows: as_lines(rows).replace(b"\n", b"\r\n"),
    "without a last line end": lambda rows: as_lines(rows).rstrip(b"\n"),
    "an array": lambda rows: json.dumps(rows, indent=1).encode(),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_files_are_read_as_they_are_written(tmp_path: Path, writing: str) -> None:
    rows = [
        {"task_id": "a", "solution": "\u00e9\u2028"},
        {"task_id": "b", "solution": "2"},
        {"task_id": "a", "solution": "1"},
    ]
    (tmp_path / "s").write_bytes(WRITINGS[writing](rows))
    assert read_samples(tmp_path / "s", ["a", "b"]) == [
        Sample("a", 0, "\u00e9\u2028"),
        Sample("a", 1, "1"),
        Sample("b", 0, "2"),
    ]


def test_equal_rows_are_as_many_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *[{"task_id": "a", "solution": "1"}] * 3)
    assert read_samples(path, ["a"]) == [Sample("a", number, "1") for number in range(3)]


def test_samples_of_other_tasks_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *[{"task_id": task, "solution": "1"} for task in "abcb"])
    assert find_samples(path, ["a"]).others == {"b": 2, "c": 1}


def test_a_number_is_a_task(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", {"task_id": 11, "solution": "1"}, {"task_id": 12, "solution": "2"})
    assert read_samples(path, ["Mbpp/11"]) == [Sample("Mbpp/11", 0, "1")]


def test_a_folder_holds_one_for_each_task(tmp_path: Path) -> None:
    for name in ("HumanEval_0/0.py", "HumanEval_0/10.py", "HumanEval_0/2.py", "HumanEval_11/0.py", "HumanEval_99/0.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "HumanEval_0/.hidden").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    found = find_samples(tmp_path, ["HumanEval/0", "HumanEval/11"], {"HumanEval/0": "def f():\n"})
    assert found.wanted == [
        Sample("HumanEval/0", 0, "HumanEval_0/0.py"),
        Sample("HumanEval/0", 1, "HumanEval_0/2.py"),
        Sample("HumanEval/0", 2, "HumanEval_0/10.py"),
        Sample("HumanEval/11", 0, "HumanEval_11/0.py"),
    ]
    assert found.others == {"HumanEval_99": 1}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="holds no folder of samples such as HumanEval_0"):
        read_samples(tmp_path, TASKS)
    (tmp_path / "HumanEval_0").mkdir()
    (tmp_path / "HumanEval_0/0.py").write_bytes(b"\xff\xfe")
    with pytest.raises(BenchmarkError, match="0.py: cannot be read"):
        read_samples(tmp_path, TASKS)


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

"""Benchmark files are read with errors that name the place, and our own set is sound."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from evaluation import (
    BenchmarkError,
    Problem,
    References,
    Sample,
    Sandbox,
    Verdict,
    judge_samples,
    read_file,
    read_problems,
)
from evaluation.rows import content_digest

ROW: dict[str, Any] = {
    "task_id": "T/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "base_input": [[1]],
    "plus_input": [],
    "contract": "",
    "atol": 0,
}


def load_problems(path: Path) -> list[Problem]:
    return read_problems(read_file(path))


def judge_all(problems: list[Problem], codes: dict[str, str], sandbox: Sandbox) -> list[Verdict]:
    samples = [Sample(task, 0, code) for task, code in codes.items()]
    return list(judge_samples({item.task_id: item for item in problems}, samples, References(sandbox), sandbox))


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_plain_and_compressed_files_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", {**ROW, "base_input": [[math.inf, [1]]]}, {**ROW, "task_id": "T/1"})
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    problems = load_problems(plain)
    assert problems == load_problems(packed)
    assert problems[0].parts == (([math.inf, [1]],),)
    rows = read_file(plain).rows
    assert content_digest(rows) == content_digest(read_file(packed).rows)
    assert content_digest(rows) != content_digest(rows[::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": None}, "a.jsonl:2: prompt"),
        ({"entry_point": ""}, "a.jsonl:2: entry_point"),
        ({"base_input": []}, "a.jsonl:2: base_input: empty"),
        ({"base_input": [1]}, "a.jsonl:2: base_input"),
        ({"plus_input": "x"}, "a.jsonl:2: plus_input"),
        ({"atol": -1}, "a.jsonl:2: atol"),
        ({"atol": True}, "a.jsonl:2: atol"),
        ({"task_id": "T/0"}, "a.jsonl:2: task_id: 'T/0' is there twice"),
    ],
)
def test_errors_name_line_and_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.jsonl", ROW, {**ROW, "task_id": "T/1", **change})
    with pytest.raises(BenchmarkError, match=message):
        load_problems(path)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "a.jsonl:1: not JSON"), ("7", "a.jsonl:1: not a JSON object"), ("", "no rows")]
)
def test_files_that_are_no_benchmark(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        load_problems(path)


def test_mini_solutions_pass_and_empty_ones_fail(sandbox: Sandbox, mini: list[Problem]) -> None:
    right = {problem.task_id: problem.prompt + problem.canonical_solution for problem in mini}
    empty = {problem.task_id: problem.prompt + "    pass\n" for problem in mini}
    assert len(mini) == 32
    assert all(verdict.plus for verdict in judge_all(mini, right, sandbox))
    verdicts = judge_all(mini, empty, sandbox)
    assert {(verdict.base, verdict.plus, verdict.reason) for verdict in verdicts} == {(False, False, "assertion")}


def test_mini_inputs_meet_their_contracts_and_examples_hold(sandbox: Sandbox, mini: list[Problem]) -> None:
    checks = {}
    for problem in mini:
        body = problem.prompt + problem.contract + problem.canonical_solution
        example = (
            f"{body}\n_solution = {problem.entry_point}\n"
            f"def {problem.entry_point}(*args):\n"
            "    import doctest\n"
            f"    [test] = doctest.DocTestFinder().find(_solution, globs={{'{problem.entry_point}': _solution}})\n"
            "    assert test.examples and not doctest.DocTestRunner().run(test).failed\n"
            "    return _solution(*args)\n"
        )
        checks[problem.task_id] = example
    assert [verdict for verdict in judge_all(mini, checks, sandbox) if not verdict.plus] == []

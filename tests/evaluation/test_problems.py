"""Benchmark files are read with errors that name the place, and our own set is sound."""

import gzip
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Problem, Sandbox, benchmark_digest, judge_codes, load_problems, pass_rate

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


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_plain_and_compressed_files_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", {**ROW, "base_input": [[math.inf, [1]]]}, {**ROW, "task_id": "T/1"})
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    problems = load_problems(plain)
    assert problems == load_problems(packed)
    assert problems[0].inputs == ([math.inf, [1]],)
    assert benchmark_digest(problems) == benchmark_digest(load_problems(packed))
    assert benchmark_digest(problems) != benchmark_digest(problems[::-1])


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
    ("text", "message"), [("{", "a.jsonl:1: not JSON"), ("[]", "not a JSON object"), ("", "no problems")]
)
def test_files_that_are_no_benchmark(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        load_problems(path)


def test_mini_solutions_pass_and_empty_ones_fail(sandbox: Sandbox, mini: list[Problem]) -> None:
    right = {problem.task_id: [problem.prompt + problem.canonical_solution] for problem in mini}
    empty = {problem.task_id: [problem.prompt + "    pass\n"] for problem in mini}
    assert len(mini) == 32
    assert all(verdict.plus for verdict in judge_codes(mini, right, sandbox))
    verdicts = list(judge_codes(mini, empty, sandbox))
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
        checks[problem.task_id] = [example]
    assert [verdict for verdict in judge_codes(mini, checks, sandbox) if not verdict.plus] == []


@pytest.mark.skipif("INVERSE_INSTRUCT_TEST_DATA" not in os.environ, reason="needs a folder of benchmark files")
def test_published_solutions_pass() -> None:
    folder = Path(os.environ["INVERSE_INSTRUCT_TEST_DATA"])
    problems = load_problems(next(folder.rglob("HumanEvalPlus-Mini.jsonl.gz")))
    codes = {problem.task_id: [problem.prompt + problem.canonical_solution] for problem in problems}
    with Sandbox() as sandbox:
        rate = pass_rate(judge_codes(problems, codes, sandbox))
    assert (rate.problems, rate.plus.rate) == (164, 1.0)

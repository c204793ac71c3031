"""Answers read back: the verdict of each task, the answers to one, and what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation import BenchmarkError, EvalPlusSuite
from inverse_instruct.benchmarks.answers import TaskVerdict, read_answers, read_prompt, read_verdicts, suite_at_hand
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.errors import RunDirError
from inverse_instruct.store.files import write_json
from inverse_instruct.store.rows import write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two samples of one task, of which the second fails at its second input, and one task without an answer."""
    rows = [("Mini/0", 0, None, ""), ("Mini/0", 1, "assertion", "input 1: expected 0, got 1"), ("Mini/1", 0, None, "")]
    write_rows(tmp_path / "samples.jsonl", ({"task_id": task, "solution": f"s{n}"} for task, n, _, _ in rows))
    write_rows(
        tmp_path / "results.jsonl",
        (
            {
                "task_id": task,
                "sample": n,
                "base": True,
                "plus": not why,
                "reason": why,
                "detail": detail,
                "passed": not why,
            }
            for task, n, why, detail in rows
        ),
    )
    write_json(tmp_path / "report.json", {"suite": "mini", "unanswered": {"Mini/2": "too long"}})
    return tmp_path


def test_verdicts_are_gathered_by_task(folder: Path) -> None:
    assert read_verdicts(folder) == {
        "Mini/0": TaskVerdict(2, 1, "assertion"),
        "Mini/1": TaskVerdict(1, 1, None),
        "Mini/2": TaskVerdict(0, 0, "too long"),
    }


def test_answers_come_with_the_call_that_failed(folder: Path) -> None:
    suite = suite_at_hand("mini", None)
    assert isinstance(suite, EvalPlusSuite)
    first, second = read_answers(folder, "Mini/0", suite, 20)
    assert (first.solution, first.passed, first.failing_test) == ("s0", True, "")
    assert (second.sample, second.base, second.passed, second.failing_test) == (1, True, False, suite.call("Mini/0", 1))
    assert read_answers(folder, "Mini/0", None, 20)[1].failing_test == ""
    assert len(read_answers(folder, "Mini/0", suite, 1)) == 1
    assert suite.call("Mini/0", 10**6) == ""


def test_inputs_are_numbered_through_base_and_plus() -> None:
    suite = suite_at_hand("mini", None)
    assert isinstance(suite, EvalPlusSuite)
    problem = next(problem for problem in suite.problems.values() if problem.plus_input)
    arguments = ", ".join(map(repr, problem.plus_input[0]))
    assert suite.call(problem.task_id, len(problem.base_input)) == f"{problem.entry_point}({arguments})"


def test_the_prompt_is_that_of_the_frame() -> None:
    suite = suite_at_hand("mini", None)
    trained = read_prompt(SuiteSection(), suite, "Mini/0")
    bare = read_prompt(SuiteSection(frame="bare"), suite, "Mini/0")
    assert trained and trained.request.startswith("Write a solution")
    assert bare and bare.request == "" and "def add_numbers" in bare.beginning
    assert read_prompt(SuiteSection(), suite, "Mini/99") is None


def test_the_hub_is_not_asked() -> None:
    with pytest.raises(BenchmarkError, match="Hugging Face hub"):
        suite_at_hand("humaneval", None)


def test_a_row_that_is_not_ours_is_named(folder: Path) -> None:
    (folder / "samples.jsonl").write_text('{"task_id": "Mini/0"}\n')
    with pytest.raises(RunDirError, match="a row holds no 'solution'"):
        read_answers(folder, "Mini/0", None, 20)

"""HumanEval's own tests judge whole programs; its canonical solutions pass."""

import json
import os
from pathlib import Path

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites.humaneval import HumanEval, load

ROW = {
    "task_id": "HumanEval/0",
    "prompt": (
        "from typing import List\n\n\ndef halve(x: float) -> float:\n    return x / 2\n\n\n"
        'def mean(values: List[float]) -> float:\n    """Half the mean.\n    >>> mean([2, 4])\n    1.5\n    """\n'
    ),
    "entry_point": "mean",
    "canonical_solution": "    return halve(sum(values) / len(values))\n",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([halve(4), 4]) == 1.5\n",
}
RIGHT = "def mean(values):\n    return sum(values) / len(values) / 2\n"


@pytest.fixture
def suite(tmp_path: Path) -> HumanEval:
    (tmp_path / "HumanEval.jsonl").write_text(json.dumps(ROW) + "\n")
    return load(str(tmp_path))


def passes(suite: HumanEval, *solutions: str) -> list[bool]:
    with suite.examiner(Execution(workers=1)) as examine:
        verdicts = list(examine([Sample("HumanEval/0", index, code) for index, code in enumerate(solutions)]))
    return [verdict.passed for verdict in sorted(verdicts, key=lambda verdict: verdict.sample)]


def test_solutions_are_judged_by_check_with_the_helpers_of_the_prompt(suite: HumanEval) -> None:
    future = "from __future__ import annotations\n" + RIGHT.replace("values)", "values: Missing)", 1)
    wrong = RIGHT.replace("/ 2", "/ 3")
    assert passes(suite, suite.reference("HumanEval/0"), RIGHT, future, wrong, "", "check = print") == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_reply_goes_on_from_the_prompt(suite: HumanEval) -> None:
    prompt = suite.prompt("HumanEval/0", [])
    assert prompt is not None and prompt.beginning.endswith('"""')
    assert ROW["prompt"].strip() in prompt.request
    reply = prompt.beginning + "\n    return sum(values) / len(values) / 2\n"
    assert passes(suite, suite.extract("HumanEval/0", [reply])) == [True]
    assert suite.prompt("HumanEval/0", [reply]) is None
    assert not suite.not_measured(Execution())


def test_a_row_without_its_test_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROW | {"test": ""}))
    with pytest.raises(BenchmarkError, match="rows.jsonl:1: test"):
        load(str(file))


@pytest.mark.skipif("INVERSE_INSTRUCT_TEST_DATA" not in os.environ, reason="needs the benchmarks' files")
def test_all_canonical_solutions_pass() -> None:
    suite = load(os.environ["INVERSE_INSTRUCT_TEST_DATA"])
    assert len(suite.task_ids) == 164
    with suite.examiner(Execution()) as examine:
        verdicts = list(examine([Sample(task_id, 0, suite.reference(task_id)) for task_id in suite.task_ids]))
    assert [verdict for verdict in verdicts if not verdict.passed] == []

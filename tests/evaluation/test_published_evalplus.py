"""On the published files every canonical solution passes, base and plus; nothing else in its place does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evaluation import Execution, Sample
from evaluation.suites import SUITES
from evaluation.suites.evalplus import EvalPlusSuite

DATA = os.environ.get("INVERSE_INSTRUCT_TEST_DATA")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA, reason="INVERSE_INSTRUCT_TEST_DATA names no folder")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "file", "version", "tasks"),
    [
        ("humaneval_plus", "HumanEvalPlus", "HumanEval+ v0.1.10", 164),
        ("humaneval_plus", "HumanEvalPlus-v0.1.9", "HumanEval+ v0.1.9", 164),
        ("humaneval_plus", "HumanEvalPlus-Mini", "humaneval_plus, file with MD5", 164),
        ("mbpp_plus", "MbppPlus", "MBPP+ v0.2.0", 378),
        ("mbpp_plus", "MbppPlus-v0.1.0", "MBPP+ v0.1.0", 399),
    ],
)
def test_canonical_solutions_pass(name: str, file: str, version: str, tasks: int, tmp_path: Path) -> None:
    [path] = Path(str(DATA)).rglob(f"{file}.jsonl.gz")
    suite = SUITES[name](str(path))
    assert isinstance(suite, EvalPlusSuite)
    assert suite.version.startswith(version) and len(suite.task_ids) == tasks
    right = [Sample(task, 0, item.prompt + item.canonical_solution) for task, item in suite.problems.items()]
    empty = [
        Sample(task, 1, f"def {item.entry_point}(*arguments): raise ValueError")
        for task, item in suite.problems.items()
    ]
    with suite.examiner(Execution(references=tmp_path)) as examine:
        verdicts = list(examine([*right, *empty]))
    assert [verdict for verdict in verdicts if verdict.passed == (verdict.sample == 1)] == []
    assert len(verdicts) == 2 * tasks

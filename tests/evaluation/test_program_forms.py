"""However a right program is written, and whatever is said around it, it passes once it is taken out of the reply."""

from __future__ import annotations

import os
from itertools import cycle
from pathlib import Path

import pytest

from evaluation import Execution, Sample, Sandbox, extract_code, run_program
from evaluation.suites import SUITES
from evaluation.suites.evalplus import EvalPlusSuite
from tests.evaluation.program_forms import PROGRAM_FORMS, REPLY_FORMS

PROGRAM = "from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    return sum(numbers)\n"
PROMPT = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Add."""\n'
DATA = os.environ.get("INVERSE_INSTRUCT_TEST_DATA")
SLOW = {15, 32, 36, 59, 123, 130, 139, 255, 271, 300, 392, 583, 599}
"""Numbers of tasks whose reference takes long, or whose every answer fails in some release of EvalPlus."""
AROUND = ("CODE\n", "```python\nCODE\n```", "Well:\nCODE\nprint(total([1]))\nassert total([1]) == 2\nThat's all!\n")


def outputs(sandbox: Sandbox, code: str) -> list[object]:
    outcomes = run_program(sandbox, code, "total", [[[1, 2]], [[]]])
    return [outcome.value if outcome.reason is None else outcome.detail for outcome in outcomes]


@pytest.mark.parametrize("name", PROGRAM_FORMS)
def test_what_the_entry_point_can_reach_is_kept(sandbox: Sandbox, name: str) -> None:
    program = PROGRAM_FORMS[name](PROGRAM, "total")
    assert outputs(sandbox, program) == [3, 0], "as it stands"
    for around in AROUND:
        code = extract_code(around.replace("CODE", program), "total", PROMPT)
        assert outputs(sandbox, code) == [3, 0], code


@pytest.mark.parametrize("name", REPLY_FORMS)
def test_the_answer_in_a_reply_is_found(sandbox: Sandbox, name: str) -> None:
    code = extract_code(REPLY_FORMS[name](PROGRAM, "total"), "total", PROMPT)
    assert outputs(sandbox, code) == [3, 0], code


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(DATA is None, reason="INVERSE_INSTRUCT_TEST_DATA names no folder of published benchmarks")
@pytest.mark.parametrize("name", ["humaneval_plus", "mbpp_plus"])
def test_canonical_solutions_pass_in_every_form(name: str, tmp_path: Path) -> None:
    suite = SUITES[name](DATA)
    assert isinstance(suite, EvalPlusSuite)
    tasks = cycle(task for task in suite.task_ids if int(task.rpartition("/")[2]) not in SLOW)
    samples = []
    for number, (form, task) in enumerate(zip([*PROGRAM_FORMS.values(), *REPLY_FORMS.values()], tasks, strict=False)):
        problem = suite.problems[task]
        before = problem.prompt if f"def {problem.entry_point}" in problem.prompt else ""
        program = (before + problem.canonical_solution).replace("\r\n", "\n").strip("\n") + "\n"
        samples.append(Sample(task, number, suite.extract(task, [form(program, problem.entry_point)])))
    with suite.examiner(Execution(references=tmp_path)) as examine:
        failed = [verdict for verdict in examine(samples) if not verdict.passed]
    names = [*PROGRAM_FORMS, *REPLY_FORMS]
    assert not failed, [(names[verdict.sample], verdict.task_id, verdict.reason, verdict.detail) for verdict in failed]

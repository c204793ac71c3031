"""Suites asked without a frame, as the beginning of a text to go on from: how base models are measured."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from evaluation import MINI_PATH, CompletionSuite, Execution, Prompt, Sample
from evaluation.suites import SUITES
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.config.examining import EvaluateSection, SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.errors import StageError
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from tests.evaluation.test_sample_forms import CASES

PROBLEMS = {row["task_id"]: row for row in map(json.loads, MINI_PATH.read_text().splitlines())}


class BaseModel:
    """Goes on from a text with the right body, and then with what comes after it."""

    model = "m"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        return prompt.beginning

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        self.asked.append(prompt)
        row = next(row for row in PROBLEMS.values() if row["prompt"].strip() == prompt.beginning.strip())
        return Completion(prompt.beginning + row["canonical_solution"], "stop", 1, 1)


def test_a_base_model_is_given_the_text_alone_and_no_second_question(tmp_path: Path) -> None:
    section = SuiteSection(suite="mini", frame="bare")
    model = BaseModel()
    suite_run = SuiteRun(section, SummarizeSection(), tmp_path, execution=Execution(workers=2), seed=0)
    report = asyncio.run(suite_run.run(model, lambda done: None))
    rates = report.measured.pass_at_1
    assert rates and rates.base and rates.base.rate == 1 and report.measured.problems == len(PROBLEMS)
    assert report.measured.suite == "mini-bare" and report.measured.self_consistency is None
    assert {prompt.request for prompt in model.asked} == {""} and len(model.asked) == len(PROBLEMS)
    assert all("```" not in prompt.beginning and "\ndef " in prompt.stop for prompt in model.asked)


def test_a_suite_may_be_there_once_in_each_frame() -> None:
    both = EvaluateSection(suites=[SuiteSection(), SuiteSection(frame="bare")])
    assert [suite.name for suite in both.suites] == ["mini", "mini-bare"]
    with pytest.raises(ValueError, match="mini-bare is named twice; name each suite once for each frame"):
        EvaluateSection(suites=[SuiteSection(frame="bare"), SuiteSection(frame="bare")])


@pytest.mark.parametrize("name", ["humaneval", "humaneval_plus", "mbpp", "mbpp_plus"])
def test_what_goes_on_from_a_bare_text_is_judged_as_a_program(name: str, tmp_path: Path) -> None:
    file, row, right, wrong = CASES[name]
    (tmp_path / file).write_text(json.dumps(row))
    suite = SUITES[name](str(tmp_path / file))
    assert isinstance(suite, CompletionSuite)
    [task] = suite.task_ids
    prompt = suite.completion_prompt(task)
    assert prompt.beginning == suite.stem(task).strip() + "\n" and not prompt.request
    assert ("\ndef " in prompt.stop) == ("def " in prompt.beginning), "what is not begun yet must be able to begin"
    replies = [prompt.beginning + body for body in (right, wrong)]
    samples = [Sample(task, number, suite.extract(task, [reply])) for number, reply in enumerate(replies)]
    with suite.examiner(Execution(workers=1)) as examine:
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    assert [verdict.passed for verdict in verdicts] == [True, False]


@pytest.mark.parametrize("name", ["ds1000", "editeval", "humanevalfix_python"])
def test_what_cannot_be_completed_is_refused(name: str, tmp_path: Path) -> None:
    file, row, *_ = CASES[name]
    (tmp_path / file).write_text(json.dumps(row))
    section = SuiteSection(suite=name, data=str(tmp_path / file), frame="bare")
    with pytest.raises(StageError, match="cannot be asked as a text to go on from; leave its frame"):
        SuiteRun(section, SummarizeSection(), tmp_path, execution=Execution(workers=1), seed=0)

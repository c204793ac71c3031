"""Tasks chosen by the dates of their contests: the report says which span was measured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evaluation import Execution, Sample
from inverse_instruct.benchmarks.suite_run import Report, SuiteRun
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.errors import StageError
from tests.evaluation.test_livecodebench import PAIR_SOLUTION, ROWS, SUM_SOLUTION, write


def measure(folder: Path, tasks: str | None, *samples: Sample) -> Report:
    section = SuiteSection(suite="livecodebench", data=str(write(folder, ROWS)), tasks=tasks)
    run = SuiteRun(section, SummarizeSection(), folder / "out", execution=Execution(workers=1), seed=0)
    return asyncio.run(run.run(samples, lambda done: None))


def test_the_report_says_of_when_its_tasks_are(tmp_path: Path) -> None:
    right = Sample("livecodebench/3001", 0, PAIR_SOLUTION)
    wrong = Sample("livecodebench/abc1_b", 0, "print(1)")
    late = measure(tmp_path, "2024-09-01..", right, wrong).measured
    assert late.version.startswith("LiveCodeBench test.jsonl (SHA-256")
    assert late.version.endswith(", of 2024-09-01 to 2025-01-04")
    assert (late.problems, late.pass_at_1 and late.pass_at_1.base.rate) == (2, 0.5)
    every = measure(tmp_path, None, right, Sample("livecodebench/abc1_a", 0, SUM_SOLUTION)).measured
    assert every.version.endswith(", of 2024-08-10 to 2025-01-04")
    with pytest.raises(StageError, match="livecodebench: tasks: '2030-01-01..' means no task"):
        measure(tmp_path, "2030-01-01..")

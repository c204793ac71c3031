"""What a model answered to the problems of a suite, read back: the verdict of each, and the answers to one.

Enters: the folder of a suite in an evaluation, and the suite. Leaves: verdicts by task, and texts, which a model has
written. The files are gone through line by line; no more is kept of them than a line for each task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from evaluation import CompletionSuite, EvalPlusSuite, Prompt, Suite
from evaluation.origins import here_only
from evaluation.suites import SUITES
from inverse_instruct.benchmarks.results import read_report
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.errors import RunDirError
from inverse_instruct.store.rows import iterate_lines

MAX_CALL = 2_000  # characters of a failing call that are shown


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """What the samples of one task achieved."""

    samples: int  # 0: the model gave no answer
    passed: int
    reason: str | None  # of the first sample that failed, or why there is no answer


@dataclass(frozen=True)
class Answer:
    """One sample, and what it achieved; `failing_test` is "" where the suite's tests are no calls."""

    sample: int
    solution: str
    passed: bool
    base: bool
    reason: str | None
    detail: str
    failing_test: str


def read_verdicts(folder: Path) -> dict[str, TaskVerdict]:
    """Return the verdict of each task that was judged, in the order of the file, then of those without an answer.

    Raises:
        RunDirError: there are no results, or they are damaged.
    """
    path = folder / "results.jsonl"
    found: dict[str, TaskVerdict] = {}
    try:
        for row in iterate_lines(path):
            before = found.get(row["task_id"], TaskVerdict(0, 0, None))
            passed = bool(row["passed"])
            found[row["task_id"]] = TaskVerdict(
                before.samples + 1, before.passed + passed, before.reason or (None if passed else row["reason"])
            )
    except (KeyError, TypeError) as error:
        raise RunDirError(f"{path}: a row holds no {error}; it is no results.jsonl of evaluate") from error
    report = read_report(path)
    return found | {task: TaskVerdict(0, 0, why) for task, why in (report.unanswered if report else {}).items()}


def read_answers(folder: Path, task: str, suite: Suite | None, limit: int) -> list[Answer]:
    """Return the first answers to a task.

    Args:
        folder: of the suite in the evaluation.
        task: its id.
        suite: tells the tests that failed; None: it is not at hand.
        limit: samples that are read.

    Raises:
        RunDirError: a file is missing or damaged.
    """
    verdicts = (row for row in iterate_lines(folder / "results.jsonl") if row.get("task_id") == task)
    samples = (row for row in iterate_lines(folder / "samples.jsonl") if row.get("task_id") == task)
    try:
        return [
            Answer(
                int(verdict["sample"]),
                str(sample["solution"]),
                bool(verdict["passed"]),
                bool(verdict["base"]),
                verdict["reason"],
                str(verdict["detail"]),
                _failing_test(suite, task, verdict["detail"]),
            )
            for verdict, sample in islice(zip(verdicts, samples, strict=False), limit)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirError(f"{folder}: a row holds no {error}; it is not as evaluate writes it") from error


def read_prompt(section: SuiteSection, suite: Suite, task: str) -> Prompt | None:
    """Return the first question that is asked for a task; None: the suite has no such task."""
    if task not in suite.task_ids:
        return None
    if section.frame == "bare" and isinstance(suite, CompletionSuite):
        return suite.completion_prompt(task)
    return suite.prompt(task, [])


@lru_cache(maxsize=4)
def suite_at_hand(name: str, data: str | None) -> Suite:
    """Return a suite whose data lies on this machine; the network is not asked.

    Raises:
        BenchmarkError: the data is not there, or cannot be used.
        OSError: it cannot be read.
    """
    with here_only():
        return SUITES[name](data)


def _failing_test(suite: Suite | None, task: str, detail: str) -> str:
    number = re.match(r"input (\d+): ", detail)
    if not number or not isinstance(suite, EvalPlusSuite) or task not in suite.problems:
        return ""
    return suite.call(task, int(number[1]))[:MAX_CALL]

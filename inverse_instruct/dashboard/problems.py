"""The problems of a benchmark suite with each round's verdict, and one of them with the answers of some rounds.

Enters: a run directory and a query. Leaves: plain JSON values. A verdict per problem and round is held in memory for
the evaluations asked for last; answers are read from their files when a page needs them. What was not measured is not
there, never a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, Suite
from inverse_instruct.benchmarks.answers import TaskVerdict, read_answers, read_prompt, read_verdicts, suite_at_hand
from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.errors import ConfigError, NotFoundError, RequestError
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.written_rows import finished

PAGE_PROBLEMS = 50
MAX_SAMPLES = 20  # of a problem and round that are shown
SHOWN = ("", "changed", "failed", "passed")


@dataclass(frozen=True)
class ProblemQuery:
    """Which problems are wanted."""

    suite: str = ""  # "" is the first one
    page: int = 1
    search: str = ""  # in their ids
    show: str = ""  # "" is all; else those whose verdict changed, or that failed or passed in every round


def list_problems(path: Path, query: ProblemQuery) -> dict[str, Any]:
    """Return a page of problems with the verdicts of all rounds; a page behind the last one is empty.

    Raises:
        RequestError: there is no such suite, choice or page.
        RunDirError: a file of the run cannot be read.
    """
    if query.show not in SHOWN or query.page < 1:
        raise RequestError(f"show must be one of {', '.join(SHOWN[1:])}, or empty, and page 1 or more")
    measured = _measured(path)
    suites = list(dict.fromkeys(name for name, _ in measured))
    suite = query.suite or next(iter(suites), "")
    if query.suite and suite not in suites:
        raise RequestError(f"no round has measured {suite!r}; measured are: {', '.join(suites) or 'none'}")
    verdicts = {number: _verdicts(folder) for (name, number), folder in measured.items() if name == suite}
    tasks = dict.fromkeys(task for found in verdicts.values() for task in found)
    chosen = [
        (task, known)
        for task in tasks
        if query.search.lower() in task.lower()
        and _is_shown(query.show, known := {number: found.get(task) for number, found in verdicts.items()})
    ]
    start = (query.page - 1) * PAGE_PROBLEMS
    return {
        "suites": suites,
        "suite": suite,
        "rounds": list(verdicts),
        "page": query.page,
        "pages": max(1, -(-len(chosen) // PAGE_PROBLEMS)),
        "matched": len(chosen),
        "total": len(tasks),
        "problems": [
            {"task": task, "verdicts": [asdict(verdict) if verdict else None for verdict in known.values()]}
            for task, known in chosen[start : start + PAGE_PROBLEMS]
        ],
    }


def read_problem(path: Path, suite: str, task: str, rounds: Sequence[int]) -> dict[str, Any]:
    """Return a problem: what was asked, and what was answered in some rounds.

    Args:
        path: the run directory.
        suite: as the run calls it.
        task: its id.
        rounds: whose answers are wanted.

    Raises:
        NotFoundError: no round has measured this problem.
        RunDirError: a file of the run cannot be read.
    """
    measured = {number: folder for (name, number), folder in _measured(path).items() if name == suite}
    known = {number: _verdicts(folder).get(task) for number, folder in measured.items()}
    if not any(known.values()):
        raise NotFoundError(f"no round has measured the problem {task!r} of {suite!r}")
    section, data, why = _suite(path, suite)
    prompt = read_prompt(section, data, task) if section and data else None
    return {
        "suite": suite,
        "task": task,
        "verdicts": {number: asdict(verdict) if verdict else None for number, verdict in known.items()},
        "request": prompt.request if prompt else None,
        "beginning": prompt.beginning if prompt else "",
        "why_no_prompt": why or ("" if prompt else f"{task} is not in the suite's data as it is now"),
        "answers": {
            number: [asdict(answer) for answer in read_answers(measured[number], task, data, MAX_SAMPLES)]
            for number in rounds
            if number in measured
        },
    }


def _measured(path: Path) -> dict[tuple[str, int], Path]:
    """Return (suite, round) -> the folder of its evaluation."""
    run_dir = RunDir(path)
    with Ledger(run_dir.ledger) as ledger:
        done = list(finished(ledger.stages()))
    return {
        (name, number): run_dir.stage(number, manifest.stage) / name
        for number, manifest in done
        for name in manifest.measures.suites
        if f"{name}/results.jsonl" in manifest.outputs
    }


def _verdicts(folder: Path) -> dict[str, TaskVerdict]:
    results = folder / "results.jsonl"
    return _read(folder, results.stat().st_mtime_ns if results.is_file() else 0)


@lru_cache(maxsize=64)
def _read(folder: Path, changed: int) -> dict[str, TaskVerdict]:
    return read_verdicts(folder)


def _suite(path: Path, name: str) -> tuple[SuiteSection | None, Suite | None, str]:
    """Return a suite of the run's config and its data, or why they are not at hand."""
    try:
        config = load_config(RunDir(path).config)
        section = next((section for section in config.evaluate.suites if section.name == name), None)
        if section is None:
            return None, None, "the run's config does not name this suite now"
        return section, suite_at_hand(section.suite, section.data), ""
    except (BenchmarkError, ConfigError, OSError) as error:
        return None, None, f"the suite's data cannot be read here: {error}"


def _is_shown(show: str, known: dict[int, TaskVerdict | None]) -> bool:
    shares = [verdict.passed / verdict.samples for verdict in known.values() if verdict and verdict.samples]
    match show:
        case "changed":
            return len(set(shares)) > 1
        case "failed":
            return not any(shares)
        case "passed":
            return bool(shares) and all(share == 1 for share in shares)
    return True

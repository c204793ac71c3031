"""A checkpoint to measures: pass@k on every suite of the config, and self-consistency (InverseCoder equation 2).

Enters: the suites, and a way to ask the checkpoint. Leaves: one folder per suite (see `SuiteRun`), and the rates of
all in the manifest. One row in is one wanted sample; those of tasks that cannot be measured here, or of which the model
leaves a question unanswered (a prompt that does not fit, say), are rejected with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, Execution, Sample, choose_tasks, dates_of
from evaluation.origins import OnHub
from inverse_instruct.benchmarks.suite_data import load_suite_here
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.config.examining import EvaluateSection
from inverse_instruct.config.sections import RunConfig, SummarizeSection
from inverse_instruct.inference.asking import Asker, TokenAsker
from inverse_instruct.inference.canary import ask_canary
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import digest
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Model, Stage
from inverse_instruct.system.machine import cache_folder

DESCRIBING = ("template", "heading", "prefixes", "stop", "max_new_tokens", "repetition_penalty")
"""What of `summarize` decides how a program is described, for self-consistency; how many are asked for does not."""
PROBLEMS = 200  # of a suite whose data is not here, roughly; for estimates


Asking = Asker | Mapping[str, Sequence[Sample]]
"""A model, or samples that are there already, by suite."""


class Evaluation:
    """All suites of a config."""

    def __init__(self, section: EvaluateSection, summarize: SummarizeSection, folder: Path, *, seed: int) -> None:
        """Load the suites.

        Args:
            section: what to measure.
            summarize: how the model turns code into instructions.
            folder: the stage's folder.
            seed: the run's seed.

        Raises:
            StageError: a suite cannot be used.
        """
        execution = Execution(
            workers=section.workers,
            memory_bytes=section.memory_mib * 2**20,
            unsandboxed=section.unsandboxed,
            python=Path(section.python) if section.python else None,
            references=cache_folder() / "references",
        )
        self.suite_runs = [
            SuiteRun(suite, summarize, folder / suite.name, execution=execution, seed=seed) for suite in section.suites
        ]

    def total(self, source: Asking | None = None) -> int:
        """Return how many samples there are to judge: those given for each suite, else those that are asked for."""
        return sum(suite_run.total(_of(source, suite_run)) for suite_run in self.suite_runs)

    @property
    def digest(self) -> str:
        """Digest of all tasks, chosen and measured."""
        return digest(
            *(f"{suite_run.suite.name} {suite_run.suite.digest} {suite_run.measured}" for suite_run in self.suite_runs)
        )

    async def run(self, source: Asking, room: Room) -> None:
        """Ask (or take the samples given), judge, and write the files of each suite into its folder.

        Raises:
            ServerError: the model cannot be asked.
            StageError: nothing can be judged here.
        """
        suites: dict[str, Any] = {}
        before = 0
        room.progress.expect(self.total(source))
        for suite_run in self.suite_runs:
            given, start = _of(source, suite_run), before
            report = await suite_run.run(given, partial(_reach, room, start))
            before += suite_run.total(given)
            room.progress.reach(before)
            room.account(report.rows_out, report.rejected)
            room.tokens.update(suite_run.tokens)
            room.outputs += [f"{report.measured.suite}/{name}" for name in report.files]
            suites[report.measured.suite] = asdict(report.measured)
        room.metrics["suites"] = suites


def _reach(room: Room, before: int, done: int) -> None:
    room.progress.reach(before + done)


def _of(source: Any, suite_run: SuiteRun) -> Any:
    """Return what a suite's samples come from."""
    return source[suite_run.section.name] if isinstance(source, Mapping) else source


async def evaluate(room: Room) -> None:
    """Measure the round's checkpoint on every suite."""
    model = room.model
    room.metrics["canary"] = asdict(
        await ask_canary(
            model.client, model.formatter, (room.section("model.yes_token"), room.section("model.no_token"))
        )
    )
    summarize = SummarizeSection(**{name: room.section(f"summarize.{name}") for name in DESCRIBING})
    evaluation = Evaluation(room.section(), summarize, room.place.folder, seed=room.place.seed)
    await evaluation.run(TokenAsker(model.client, model.formatter, model.digest), room)


def _outside(config: RunConfig) -> list[str]:
    tasks = Evaluation(config.evaluate, config.summarize, Path(), seed=config.seed).digest
    return [tasks, PromptTemplate("summarize", config.summarize.template).digest]


@lru_cache
def _problems(suite: str, data: str | None, tasks: str | None, limit: int | None) -> int:
    """Return how many problems are asked of a suite; roughly, where its data is not here."""
    try:
        loaded = load_suite_here(suite, data)
        return len(choose_tasks(loaded.task_ids, tasks, limit, dates_of(loaded)))
    except (BenchmarkError, OnHub, OSError):
        return limit or PROBLEMS


def _cost(estimate: Estimate) -> Cost:
    samples, tokens = 0, 0
    for suite in estimate.config.evaluate.suites:
        problems = _problems(suite.suite, suite.data, suite.tasks, suite.limit)
        samples += problems * suite.samples
        tokens += problems * suite.max_new_tokens // 2 * (suite.samples + 2 * suite.self_consistency)
    return Cost(samples, tokens, tokens * estimate.written)


EVALUATE = Stage(
    "evaluate",
    "measure pass@k in a sandbox, and self-consistency",
    evaluate,
    unit="sample",
    is_data=False,
    sections=(
        *(f"summarize.{name}" for name in DESCRIBING),
        "model.prompt_format",
        "model.yes_token",
        "model.no_token",
    ),
    outside=_outside,
    model=Model.TRAINED,
    cost=_cost,
)

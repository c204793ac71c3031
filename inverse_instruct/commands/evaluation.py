"""One suite on a model, an endpoint, or samples that are there: the commands `evaluate` and `self-consistency`."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, EvalPlusSuite, Sample
from evaluation.samples import find_samples
from inverse_instruct.benchmarks.pinned_evaluation import pin_evaluation
from inverse_instruct.benchmarks.results import describe_report
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.commands.asking import ask
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import StageError
from inverse_instruct.inference.asking import Asker, ChatAsker, TokenAsker
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.records import digest
from inverse_instruct.stages.evaluate import EVALUATE, Evaluation
from inverse_instruct.stages.play import leaving
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.progress import Progress

logger = logging.getLogger(__name__)


def evaluate(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    """Measure what the command line names; print the measures unless JSON is wanted.

    Raises:
        StageError: the suite cannot be used, or not for this, or nothing can be judged.
    """
    output: Path = arguments.output
    evaluation = Evaluation(config.evaluate, config.summarize, output, seed=config.seed)
    [suite_run] = evaluation.suite_runs
    suite, name = suite_run.suite, suite_run.section.name
    if arguments.stage == "self-consistency" and not isinstance(suite, EvalPlusSuite):
        raise StageError(
            f"{suite.name} has no inputs to compare outputs on; self-consistency is measured "
            "on mini, humaneval_plus or mbpp_plus"
        )
    place = Place(output, 0, config.seed, output / "logs", digest(arguments.stage, evaluation.digest))
    room = Room(EVALUATE, config, place, {})

    async def judge(source: Asker | Mapping[str, Sequence[Sample]]) -> None:
        pin_evaluation(output / name, _asked(config, suite_run, source))
        with Progress(arguments.stage, EVALUATE.unit) as room.progress:
            await evaluation.run(source, room)

    async def judge_model(asked: Asked) -> None:
        await judge(TokenAsker(asked.client, asked.formatter, asked.digest))

    with leaving([room]):
        if not evaluation.total() and not suite_run.is_loss_wanted:
            asyncio.run(judge({name: []}))  # nothing can be measured here, so nothing is asked
        elif arguments.samples:
            asyncio.run(judge({name: _given_samples(arguments.samples, suite_run)}))
        elif arguments.endpoint:
            if suite_run.section.frame == "bare":
                raise StageError("--bare: a chat endpoint frames what it is sent; give the model by --model")
            asyncio.run(_ask_endpoint(config, arguments.endpoint, judge))
        else:
            ask(config, resolve_model(config.model.base), output, judge_model)
        manifest = room.finish()
    if not arguments.json:
        print(describe_report(manifest.measures.suites[name]))
    return manifest


def _given_samples(path: Path, suite_run: SuiteRun) -> list[Sample]:
    suite = suite_run.suite
    try:
        found = find_samples(path, suite_run.measured, {task: suite.stem(task) for task in suite_run.measured})
    except BenchmarkError as error:
        raise StageError(f"--samples: {error} (--tasks, --limit)") from error
    if unknown := [task for task in found.others if task not in set(suite.task_ids)]:
        logger.warning(
            "%s: %s has no such tasks, so their samples are left out: %s",
            path,
            suite.version,
            ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""),
        )
    suite_run.given = found.others
    return found.wanted


def _asked(config: RunConfig, suite_run: SuiteRun, source: Asker | Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Return all that an evaluation depends on, in words of the command line where there are any."""
    section, suite = suite_run.section, suite_run.suite
    asked = {
        "suite": suite.version,
        "data": suite.digest,
        "tasks": suite_run.tasks,
        "self-consistency": section.self_consistency,
        "memory (MiB)": config.evaluate.memory_mib,
        "--unsandboxed": config.evaluate.unsandboxed,
        "evaluate.python": config.evaluate.python,
    }
    if isinstance(source, Mapping):
        samples = [f"{each.task_id} {each.index} {each.solution}" for each in source[section.name]]
        return asked | {"--samples": f"{len(samples)} samples, digest {digest(*samples)}"}
    return asked | {
        "model": source.model,
        "-n": section.samples,
        "--temperature": section.temperature,
        "top_p": section.top_p,
        "max_new_tokens": section.max_new_tokens,
        "seed": config.seed,
        "prompt format": config.model.prompt_format if section.frame == "trained" else "bare",
    }


async def _ask_endpoint(config: RunConfig, url: str, judge: Callable[[Asker], Awaitable[None]]) -> None:
    async with connect(config.inference.model_copy(update={"endpoints": [url]}), []) as client:
        await judge(ChatAsker(client, f"{url} {client.model}"))

"""One stage on files, outside a run: the subcommands `preprocess` to `evaluate`.

Enters: the parsed command line. Leaves: the stage's files in `--output`; running again with the same folder goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, EvalPlusSuite, Sample
from evaluation.samples import find_samples
from inverse_instruct.benchmarks.pinned_evaluation import pin_evaluation
from inverse_instruct.benchmarks.suite_run import Examination
from inverse_instruct.commands.stage_inputs import check_training_rows, read_pairs, read_snippets, read_written
from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.sections import RunConfig, benchmark_path
from inverse_instruct.errors import CorpusError, StageError
from inverse_instruct.inference.asking import Asker, ChatAsker, TokenAsker
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest, resolve_model
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.streaming import stream
from inverse_instruct.records import Candidate, ScoredPair, Snippet, digest
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.folder_lock import lock_folder
from inverse_instruct.store.manifest import Manifest

logger = logging.getLogger(__name__)


def run_stage(arguments: argparse.Namespace) -> None:
    """Run the stage that the command line names and print what it did.

    Raises:
        InverseInstructError: bad options, bad input, or the stage failed.
    """
    config = _config(arguments)
    with lock_folder(arguments.output, "--output"):
        manifest = STAGES[arguments.stage](config, arguments)
    if arguments.json:
        print(json.dumps(asdict(manifest), indent=2))
        return
    print(f"{manifest.stage}: {manifest.rows_in} rows in, {manifest.rows_out} out, {manifest.seconds:.1f} s")
    for reason, count in sorted(manifest.rejected.items(), key=lambda item: -item[1]):
        print(f"  rejected {count:>7}  {reason}")
    print(f"  results in {arguments.output}")


def _config(arguments: argparse.Namespace) -> RunConfig:
    """Build the config of a stage: defaults, then the file's sections, then the command line."""
    corpus = [{"path": path} for path in getattr(arguments, "input", None) or ["none"]]
    given: dict[str, Any] = {"name": arguments.stage, "model": {"base": getattr(arguments, "model", None) or "none"},
                             "corpus": corpus}
    if hasattr(arguments, "suite"):
        asked = {"suite": arguments.suite, "data": arguments.data, "tasks": arguments.tasks, "limit": arguments.limit,
                 "samples": arguments.n, "temperature": arguments.temperature,
                 "self_consistency": arguments.stage == "self-consistency"}
        given["evaluate"] = {"suites": [{name: value for name, value in asked.items() if value is not None}],
                             "unsandboxed": arguments.unsandboxed}
    if arguments.config:
        return load_config(arguments.config, arguments.overrides, given)
    return parse_config(given, arguments.overrides)


def _preprocess(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.stages.preprocess import preprocess

    return preprocess(config.corpus, config.preprocess, arguments.output)


def _summarize(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.stages.summarize import SummarizeStage

    snippets = read_snippets(arguments.input)

    async def work(client: InferenceClient, formatter: PromptFormatter, name: str) -> Manifest:
        stage = SummarizeStage(config.summarize, arguments.output, formatter=formatter, client=client, model=name,
                               max_model_len=config.model.max_model_len, seed=config.seed, round_number=0)
        with _bar(len(snippets), "snippet", "summarize") as bar:
            async for _ in stream(snippets, stage.write, config.inference.concurrency):
                bar.update()
        return stage.finish(snippets, _inputs_key(config, arguments))

    return _ask(config, arguments.output, work)


def _score(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.stages.score import ScoreStage

    groups = read_pairs(arguments.input, read_snippets([arguments.snippets]) if arguments.snippets else [])
    candidates = [candidate for _, group in groups for candidate in group]

    async def work(client: InferenceClient, formatter: PromptFormatter, name: str) -> Manifest:
        stage = ScoreStage(config.score, arguments.output, formatter=formatter, client=client, model=name,
                           max_model_len=config.model.max_model_len, yes_token=config.model.yes_token,
                           no_token=config.model.no_token)
        with _bar(len(candidates), "pair", "score") as bar:
            stage.on_pairs = bar.update
            async for _ in stream(groups, lambda group: stage.judge(*group), config.inference.concurrency):
                pass
        return stage.finish(candidates, _inputs_key(config, arguments))

    return _ask(config, arguments.output, work)


def _select(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.corpus.decontamination import BenchmarkIndex
    from inverse_instruct.stages.select import select

    snippets = read_written(Snippet, arguments.preprocessed / "snippets.parquet")
    candidates = read_written(Candidate, arguments.summarized / "candidates.parquet")
    pairs = read_written(ScoredPair, arguments.scored / "scores.parquet")
    known = {(candidate.id, candidate.snippet_id) for candidate in candidates}
    strangers = [pair.candidate_id for pair in pairs if (pair.candidate_id, pair.snippet_id) not in known]
    if strangers or not {pair.snippet_id for pair in pairs} <= {snippet.id for snippet in snippets}:
        raise CorpusError(f"{arguments.scored}: scores pairs that are not in {arguments.summarized} and "
                          f"{arguments.preprocessed}; give the folders of one run, scored with --snippets")
    return select(
        config.selection, arguments.output, snippets=snippets, candidates=candidates, pairs=pairs,
        benchmarks=BenchmarkIndex([benchmark_path(name) for name in config.preprocess.benchmarks],
                                  config.preprocess.ngram), earlier_ids=frozenset(),
        seed=config.seed, round_number=1, key="")


def _train(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.stages.train import PhaseRun, train

    base = resolve_model(config.model.base)
    files = [Path(path) for path in arguments.input]
    for path in files:
        check_training_rows(path)
    epochs = config.train.phases[0].epochs
    phase = PhaseRun("selected", files, epochs, config.train.phases[0].learning_rate or config.train.learning_rate)
    key = digest(_inputs_key(config, arguments), json.dumps(config.train.model_dump(mode="json")), model_digest(base),
                 config.model.prompt_format, config.seed)
    return train(config.train, base=base, phases=[phase], folder=arguments.output,
                 checkpoint=arguments.output / "checkpoint", prompt_format=config.model.prompt_format,
                 template_date=config.model.template_date, seed=config.seed, key=key,
                 log_folder=arguments.output / "logs", trust_remote_code=config.model.trust_remote_code)


def _evaluate(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    from inverse_instruct.benchmarks.results import describe_report
    from inverse_instruct.stages.evaluate import EvaluateStage

    stage = EvaluateStage(config.evaluate, config.summarize, arguments.output, seed=config.seed)
    [examination] = stage.examinations
    if arguments.stage == "self-consistency" and not isinstance(examination.suite, EvalPlusSuite):
        raise StageError(f"{examination.suite.name} has no inputs to compare outputs on; self-consistency is measured "
                         "on mini, humaneval_plus or mbpp_plus")

    async def judge(source: Asker | Mapping[str, Sequence[Sample]]) -> Manifest:
        pin_evaluation(arguments.output / examination.suite.name, _asked(config, examination, source))
        with _bar(stage.total(source), "sample", arguments.stage) as bar:
            stage.on_progress = lambda done: bar.update(done - bar.n)
            return await stage.run(source, digest(arguments.stage, stage.digest))

    manifest: Manifest
    if not stage.total():
        manifest = asyncio.run(judge({examination.suite.name: []}))  # nothing can be measured here, so nothing is asked
    elif arguments.samples:
        manifest = asyncio.run(judge({examination.suite.name: _given_samples(arguments.samples, examination)}))
    elif arguments.endpoint:
        manifest = asyncio.run(_ask_endpoint(config, arguments.endpoint, judge))
    else:
        manifest = _ask(config, arguments.output, lambda client, formatter, name: judge(
            TokenAsker(client, formatter, name)))
    if not arguments.json:
        print(describe_report(manifest.metrics["suites"][examination.suite.name]))
    return manifest


def _given_samples(path: Path, examination: Examination) -> list[Sample]:
    suite = examination.suite
    try:
        found = find_samples(path, examination.measured, {task: suite.stem(task) for task in examination.measured})
    except BenchmarkError as error:
        raise StageError(f"--samples: {error} (--tasks, --limit)") from error
    if unknown := [task for task in found.others if task not in set(suite.task_ids)]:
        logger.warning("%s: %s has no such tasks, so their samples are left out: %s", path, suite.version,
                       ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""))
    examination.given = found.others
    return found.wanted


def _asked(config: RunConfig, examination: Examination, source: Asker | Mapping[str, Sequence[Sample]]
           ) -> dict[str, Any]:
    """Return all that an evaluation depends on, in words of the command line where there are any."""
    section, suite = examination.section, examination.suite
    asked = {"suite": suite.version, "data": suite.digest, "tasks": examination.tasks,
             "self-consistency": section.self_consistency, "memory (MiB)": config.evaluate.memory_mib,
             "--unsandboxed": config.evaluate.unsandboxed, "evaluate.python": config.evaluate.python}
    if isinstance(source, Mapping):
        samples = [f"{each.task_id} {each.index} {each.solution}" for each in source[suite.name]]
        return asked | {"--samples": f"{len(samples)} samples, digest {digest(*samples)}"}
    return asked | {"model": source.model, "-n": section.samples, "--temperature": section.temperature,
                    "top_p": section.top_p, "max_new_tokens": section.max_new_tokens, "seed": config.seed,
                    "prompt format": config.model.prompt_format}


async def _ask_endpoint(config: RunConfig, url: str, judge: Callable[[Asker], Awaitable[Manifest]]) -> Manifest:
    async with connect(config.inference.model_copy(update={"endpoints": [url]}), None) as client:
        return await judge(ChatAsker(client, f"{url} {client.model}"))


STAGES: dict[str, Callable[[RunConfig, argparse.Namespace], Manifest]] = {
    "preprocess": _preprocess, "summarize": _summarize, "score": _score, "select": _select, "train": _train,
    "evaluate": _evaluate, "self-consistency": _evaluate,
}


def _ask(config: RunConfig, output: Path, work: Callable[[InferenceClient, PromptFormatter, str], Awaitable[Manifest]]
         ) -> Manifest:
    """Run a piece of work against the config's endpoints, or against a server of our own."""
    model = resolve_model(config.model.base)
    formatter = PromptFormatter(model, config.model.prompt_format, config.model.template_date)
    section = config.inference

    async def main() -> Manifest:
        if section.endpoints:
            async with connect(section, None) as client:
                return await work(client, formatter, model_digest(model))
        server = VllmServer(model, section, max_model_len=config.model.max_model_len, log=output / "vllm.log",
                            trust_remote_code=config.model.trust_remote_code)
        server.start()
        try:
            async with connect(section, server) as client:
                return await work(client, formatter, server.name)
        finally:
            server.stop()

    return asyncio.run(main())


def _inputs_key(config: RunConfig, arguments: argparse.Namespace) -> str:
    files = [Path(path) for path in getattr(arguments, "input", None) or []]
    return digest(arguments.stage, config.model.base, *(file_digest(path) for path in files if path.is_file()))


def _bar(total: int, unit: str, description: str) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, desc=description, dynamic_ncols=True)

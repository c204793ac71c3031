"""The loop: a fixed list of stages per round, what feeds what, and going on where a run stopped.

Enters: a config and a run directory. Leaves: rounds, checkpoints and the ledger. A stage whose manifest matches its key
(config section, inputs, model) is not run again; within a stage the journals tell what is already done. Kill this
process anywhere and start it again: the result is the one that an uninterrupted run gives.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.benchmarks.results import find_results
from inverse_instruct.config.identity import identity
from inverse_instruct.config.sections import RunConfig, Section, benchmark_path
from inverse_instruct.errors import ConfigError, DamagedFileError, StageError
from inverse_instruct.inference.asking import TokenAsker
from inverse_instruct.inference.canary import ask_canary
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest, resolve_model
from inverse_instruct.inference.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.loop.check import model_problems
from inverse_instruct.records import Candidate, ScoredPair, Snippet, digest
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.ledger import Checkpoint, Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.progress import StageProgress
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.run_dir import RunDir

MAX_REBUILDS = 3  # of damaged files in one start: a disk that spoils more than that is not to be worked on

VERSIONS = {"preprocess": 2, "summarize": 1, "score": 1, "selection": 2, "train": 1, "evaluate": 1, "promote": 1}
"""Of each stage's code; raised when the same inputs give other rows, so that finished stages are done again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incumbent:
    """The promoted checkpoint: M of the next round."""

    round: int
    model: Path
    results: Path  # the folder of its evaluation


class Loop:
    """One run under way."""

    def __init__(self, config: RunConfig, run_dir: RunDir, ledger: Ledger) -> None:
        """Resolve the models.

        Raises:
            ModelError: one of them is not there, or is not whole.
            ConfigError: one does not fit the config.
        """
        self._config = config
        self._run_dir = run_dir
        self._ledger = ledger
        self._base = resolve_model(config.model.base)
        self._start = resolve_model(config.model.start) if config.model.start else None
        self.models = {"model.base": self._base} | ({"model.start": self._start} if self._start else {})
        problems = [problem for key, folder in self.models.items() for problem in model_problems(config, key, folder)]
        if problems:  # of a model that was downloaded, `check` could not know them
            raise ConfigError(list(dict.fromkeys(problems)))
        self._server: VllmServer | None = None
        self._incumbent: Incumbent | None = None

    def play(self) -> None:
        """Play round 0 and the self-training rounds after it.

        Raises:
            InverseInstructError: a stage failed; playing again goes on from there.
        """
        for rebuilds_left in reversed(range(MAX_REBUILDS + 1)):
            try:
                return self._play_rounds()
            except DamagedFileError as error:
                if not rebuilds_left:
                    raise
                logger.warning("%s: the stages are gone through again, and what is damaged is made anew", error)
            finally:
                self._stop_server()

    def _play_rounds(self) -> None:
        self._incumbent = None
        for round_number in range(self._config.rounds + 1):
            if self._play(round_number):
                self._ledger.add_event("the round is complete", round_number)

    def _play(self, round_number: int) -> bool:
        """Play one round; tell whether there was anything left to do."""
        unfinished = read_manifest(self._run_dir.stage(round_number, "promote")) is None
        if round_number == 0:
            if self._start and unfinished and not self._config.inference.endpoints:
                self._serve(self._start)  # it loads while the corpus is read
            self._preprocess()
            model = self._start or self._train(0)
        else:
            self._summarize_and_score(round_number)
            self._select(round_number)
            model = self._train(round_number)
        self._evaluate(round_number, model)
        self._promote(round_number, model)
        return unfinished

    # -- stages ------------------------------------------------------------------------------------------------------

    def _preprocess(self) -> Manifest:
        from inverse_instruct.stages.preprocess import preprocess

        config = self._config
        folder = self._run_dir.stage(0, "preprocess")
        key = _key("preprocess", config.preprocess, *config.corpus, *self._contents(
            [benchmark_path(name) for name in config.preprocess.benchmarks if name == "mini"]))
        manifest = read_manifest(folder, key)
        if manifest is None:
            self._ledger.start_stage(0, "preprocess")
            manifest = preprocess(config.corpus, config.preprocess, folder, key)
        self._ledger.finish_stage(0, manifest)
        return manifest

    def _summarize_and_score(self, round_number: int) -> None:
        from inverse_instruct.stages.score import ScoreStage
        from inverse_instruct.stages.summarize import SummarizeStage

        config, model = self._config, self._promoted().model
        folders = [self._run_dir.stage(round_number, stage) for stage in ("summarize", "score")]
        corpus = self._intact(0, "preprocess")
        name = model_digest(model)
        spoken = (config.model.prompt_format, str(config.model.max_model_len))
        inputs = (*spoken, json.dumps(corpus.outputs), name, str(config.seed))
        templates = [PromptTemplate("summarize", config.summarize.template).digest,
                     PromptTemplate("score", config.score.template).digest]
        keys = [_key("summarize", config.summarize, *inputs, templates[0]),
                _key("score", config.summarize, config.score, config.model.yes_token, config.model.no_token, *inputs,
                     *templates)]
        manifests = [read_manifest(folder, key) for folder, key in zip(folders, keys, strict=True)]
        if not all(manifests):
            snippets = self._snippets()
            formatter = PromptFormatter(model, config.model.prompt_format, config.model.template_date)
            candidates_of: dict[str, list[Candidate]] = {}

            async def work(client: InferenceClient) -> None:
                from inverse_instruct.inference.streaming import stream

                summarize = SummarizeStage(
                    config.summarize, folders[0], formatter=formatter, client=client, model=name,
                    max_model_len=config.model.max_model_len, seed=config.seed, round_number=round_number)
                score = ScoreStage(
                    config.score, folders[1], formatter=formatter, client=client, model=name,
                    max_model_len=config.model.max_model_len, yes_token=config.model.yes_token,
                    no_token=config.model.no_token)

                async def both(snippet: Snippet) -> None:
                    candidates_of[snippet.id] = await summarize.write(snippet)
                    await score.judge(snippet, candidates_of[snippet.id])

                total = len(snippets) * config.summarize.candidates
                with self._progress(round_number, "summarize", total, "candidate") as bar:
                    summarize.on_candidate = lambda tokens: bar.advance(1, tokens)
                    async for _ in stream(snippets, both, config.inference.concurrency):
                        pass
                candidates = [candidate for snippet in snippets for candidate in candidates_of[snippet.id]]
                manifests[:] = [summarize.finish(snippets, keys[0]), score.finish(candidates, keys[1])]

            self._ask(model, work)
        for manifest in manifests:
            if manifest:
                self._ledger.finish_stage(round_number, manifest)

    def _select(self, round_number: int) -> None:
        from inverse_instruct.corpus.decontamination import BenchmarkIndex
        from inverse_instruct.stages.select import select

        config = self._config
        folder = self._run_dir.stage(round_number, "selection")
        rows = [self._intact(*place).outputs for place in (
            (0, "preprocess"), (round_number, "summarize"), (round_number, "score"))]
        earlier_files = self._selected_files(round_number)[:-1]
        benchmarks = [benchmark_path(name) for name in config.preprocess.benchmarks]
        inputs = (json.dumps(rows), str(config.seed), str(config.preprocess.ngram))
        key = _key("selection", config.selection, *inputs, *self._contents([*earlier_files, *benchmarks]))
        manifest = read_manifest(folder, key)
        if manifest is None:
            self._ledger.start_stage(round_number, "selection")
            earlier = [row["id"] for path in earlier_files for row in read_rows(path)]
            manifest = select(
                config.selection, folder, snippets=self._snippets(),
                candidates=[Candidate(**row) for row in self._rows(round_number, "summarize", "candidates")],
                pairs=[ScoredPair(**row) for row in self._rows(round_number, "score", "scores")],
                benchmarks=BenchmarkIndex(benchmarks, config.preprocess.ngram),
                earlier_ids=frozenset(earlier), seed=config.seed, round_number=round_number, key=key)
        self._ledger.finish_stage(round_number, manifest)
        if manifest.rows_out == 0:
            raise StageError(f"round {round_number} selected no row: {manifest.rejected}; look at the candidates in "
                             f"{self._run_dir.stage(round_number, 'summarize')}, and start another "
                             "--run-dir with a lower selection.min_score or other prompts")

    def _train(self, round_number: int) -> Path:
        from inverse_instruct.stages.train import PhaseRun, train
        from inverse_instruct.training.publish import MARKER

        config = self._config
        folder, checkpoint = self._run_dir.stage(round_number, "train"), self._run_dir.checkpoint(round_number)
        sources = {"selected": self._selected_files(round_number), "original": self._original_files()}
        sources["mixed"] = sources["selected"] + sources["original"]
        phases = [
            PhaseRun(phase.data, sources[phase.data], phase.epochs, phase.learning_rate or config.train.learning_rate)
            for phase in config.train.phases
            if sources[phase.data] and (round_number > 0 or phase.data == "original")
        ]
        if not phases:
            raise StageError(f"round {round_number} has nothing to train on: the corpus holds no instructions; name an "
                             "instruct model in model.start or give a corpus with instructions")
        inputs = [json.dumps([phase.data, phase.epochs, phase.learning_rate, self._contents(phase.rows)])
                  for phase in phases]
        name = model_digest(self._base)
        key = _key("train", config.train, config.model.prompt_format, name, str(config.seed), *inputs)
        manifest = read_manifest(folder, key)
        if manifest is None or not (checkpoint / "config.json").is_file():
            if checkpoint.is_dir():
                (checkpoint / MARKER).touch()  # whatever has become of it, it is the run's own and may be replaced
            self._stop_server()  # training needs the devices
            self._ledger.start_stage(round_number, "train")
            manifest = train(
                config.train, base=self._base, phases=phases, folder=folder, checkpoint=checkpoint,
                prompt_format=config.model.prompt_format, template_date=config.model.template_date, seed=config.seed,
                key=key, log_folder=self._run_dir.logs, trust_remote_code=config.model.trust_remote_code,
                on_steps=lambda done, steps: self._ledger.advance(round_number, "train", done, steps))
        self._ledger.finish_stage(round_number, manifest)
        return checkpoint

    def _evaluate(self, round_number: int, model: Path) -> None:
        from inverse_instruct.stages.evaluate import EvaluateStage

        config = self._config
        folder = self._run_dir.stage(round_number, "evaluate")
        stage = EvaluateStage(config.evaluate, config.summarize, folder, seed=config.seed)
        name = model_digest(model)
        template = PromptTemplate("summarize", config.summarize.template).digest
        key = _key("evaluate", config.evaluate, config.summarize, config.model.prompt_format, name, stage.digest,
                   template)
        manifest = read_manifest(folder, key)
        if manifest is None:
            formatter = PromptFormatter(model, config.model.prompt_format, config.model.template_date)

            async def work(client: InferenceClient) -> Manifest:
                canary = await ask_canary(client, formatter, config.model)
                with self._progress(round_number, "evaluate", stage.total(), "sample") as bar:
                    stage.on_progress = bar.reach
                    return await stage.run(TokenAsker(client, formatter, name), key, {"canary": asdict(canary)})

            manifest = self._ask(model, work)
        self._ledger.finish_stage(round_number, manifest)

    def _promote(self, round_number: int, model: Path) -> None:
        from inverse_instruct.stages.decide import Decision, promote

        folder = self._run_dir.stage(round_number, "promote")
        results = self._run_dir.stage(round_number, "evaluate")
        incumbent = self._incumbent
        evaluated = self._intact(round_number, "evaluate")
        if incumbent:
            self._intact(incumbent.round, "evaluate")
        rivals = [results, incumbent.results] if incumbent else [results]
        key = _key("promote", self._config.promote, *self._contents([
            path for rival in rivals for path in find_results(rival)]))
        manifest = read_manifest(folder, key)
        if manifest is None:
            promote(self._config.promote, folder, candidate=results,
                    promoted=incumbent.results if incumbent else None, key=key)
            manifest = read_manifest(folder, key)
            assert manifest is not None
        decision = Decision(**manifest.metrics)
        self._ledger.finish_stage(round_number, manifest)
        self._ledger.add_checkpoint(Checkpoint(
            round=round_number, path=str(model.absolute()), digest=model_digest(model),
            parent="" if model == self._start else model_digest(self._base),
            state="promoted" if decision.promoted else "candidate", reason=decision.reason,
            metrics=evaluated.metrics))
        if decision.promoted:
            self._incumbent = Incumbent(round_number, model, results)

    # -- what the stages share ---------------------------------------------------------------------------------------

    def _ask(self, model: Path, work: Callable[[InferenceClient], Awaitable[Any]]) -> Any:
        """Run a piece of work with a client to a server for the model."""
        section = self._config.inference

        async def main() -> Any:
            given = section.endpoints and model == self._start
            async with connect(section, None if given else self._serve(model)) as client:
                return await work(client)

        return asyncio.run(main())

    def _serve(self, model: Path) -> VllmServer:
        """Return the run's one server, started for this model unless it runs it already."""
        server = self._server
        if server and server.alive and server.name == model_digest(model):
            return server
        self._stop_server()
        log = self._run_dir.logs / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}.log"
        server = VllmServer(model, self._config.inference, max_model_len=self._config.model.max_model_len, log=log,
                            trust_remote_code=self._config.model.trust_remote_code)
        server.on_event = self._ledger.add_event
        server.start()
        self._server = server
        return server

    def _stop_server(self) -> None:
        if self._server:
            self._server.stop()
            self._server = None

    def _progress(self, round_number: int, stage: str, total: int, unit: str) -> StageProgress:
        return StageProgress(self._ledger, round_number, stage, total, unit)

    def _promoted(self) -> Incumbent:
        assert self._incumbent is not None, "round 0 always promotes"
        if self._incumbent.model != self._start:
            self._intact(self._incumbent.round, "train")
        return self._incumbent

    def _intact(self, round_number: int, stage: str) -> Manifest:
        """Return the manifest of a finished stage whose files are about to be read; days may lie between."""
        folder = self._run_dir.stage(round_number, stage)
        manifest = read_manifest(folder)
        if manifest is None:
            raise DamagedFileError(f"{folder} is not as it was written")
        return manifest

    def _rows(self, round_number: int, stage: str, name: str) -> list[dict[str, Any]]:
        self._intact(round_number, stage)
        return read_rows(self._run_dir.stage(round_number, stage) / f"{name}.parquet")

    def _snippets(self) -> list[Snippet]:
        return [Snippet(**row) for row in self._rows(0, "preprocess", "snippets")]

    def _selected_files(self, round_number: int) -> list[Path]:
        rounds = self._config.selection.rounds_trained_on(round_number)
        for number in rounds[:-1]:
            self._intact(number, "selection")
        return [self._run_dir.stage(number, "selection") / "selected.parquet" for number in rounds]

    def _original_files(self) -> list[Path]:
        if not self._intact(0, "preprocess").metrics["original_rows"]:
            return []
        return [self._run_dir.stage(0, "preprocess") / "original.parquet"]

    def _contents(self, files: list[Path]) -> list[str]:
        return [file_digest(path) for path in files]


def _key(stage: str, *parts: Section | str) -> str:
    """Return the digest of all that decides the result of a stage, and of the version of its code."""
    texts = [part if isinstance(part, str) else json.dumps(identity(part)) for part in parts]
    return digest(stage, VERSIONS[stage], *texts)

"""Runs stages as they are declared: keys, manifests, the ledger, the engine, progress; once, for every stage.

Enters: a stage and a round. Leaves: its files and its manifest. A stage whose manifest matches its key is not run
again; one whose inputs are no longer as they were written is never run on them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import DamagedFileError, WaitingError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.loop.ahead import ask_ahead
from inverse_instruct.loop.budget import Budget
from inverse_instruct.loop.engines import Engines
from inverse_instruct.loop.shared_stages import take_over
from inverse_instruct.recipes.recipe import Step
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.play import leaving, play, refuse_empty, work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Inputs, Place, Room
from inverse_instruct.stages.stage import SERVED, Input, Model, Stage, Together, When
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.progress import Progress
from inverse_instruct.store.review import read_review
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class Standing:
    """Where a run stands: what a stage of a round builds on."""

    round: int
    models: Mapping[Model, Path]  # those that there are by now
    promoted: tuple[int, ...]  # rounds whose checkpoints were promoted, that of the promoted one last


@dataclass(frozen=True)
class Work:
    """What there is to do for a stage of a round; without a key where that is not known before it is done."""

    key: str = ""
    inputs: Inputs = field(default_factory=dict)


class Runner:
    """Runs the stages of one run."""

    def __init__(
        self, config: RunConfig, run_dir: RunDir, ledger: Ledger, engines: Engines, others: Sequence[RunDir] = ()
    ) -> None:
        """Run nothing yet.

        Args:
            config: of the run.
            run_dir: of the run.
            ledger: of the run.
            engines: that its stages ask.
            others: runs whose finished stages are taken over where the keys are equal.
        """
        self._config, self._run_dir, self._ledger, self._engines = config, run_dir, ledger, engines
        self._others = others
        self._budget = Budget(config.budget)

    def run(self, step: Step, at: Standing) -> Manifest:
        """Run a step unless it is done; return the manifest of its last stage.

        Raises:
            DamagedFileError: an input is not as it was written; the stages before must be gone through again.
            StageError: the stage keeps no row, and the round cannot go on without.
            InverseInstructError: the stage failed; running again goes on from there.
        """
        if isinstance(step, Together):
            return self._run_together(step, at)
        wanted = self._work(step, at)
        manifest = self._done(step, at, wanted)
        if manifest is None:
            if step.all_devices:
                self._engines.clear_devices()
            manifest = self._play(step, at, wanted)
        return self._finished(step, at, manifest)

    def is_of(self, stage: Stage, at: Standing, manifest: Manifest) -> bool:
        """Tell whether a finished stage was made from what there is now.

        Raises:
            DamagedFileError: an input is not as it was written.
        """
        return self._work(stage, at).key == manifest.key

    def _run_together(self, step: Together, at: Standing) -> Manifest:
        first = self._done(step.first, at, self._work(step.first, at))
        if first is None:
            first = self._play_together(step, at)
        self._finished(step.first, at, first)
        return self.run(step.second, at)

    def _done(self, stage: Stage, at: Standing, wanted: Work) -> Manifest | None:
        folder = self._run_dir.stage(at.round, stage.name)
        manifest = read_manifest(folder, wanted.key)
        if manifest is None:
            manifest = take_over(self._run_dir, self._others, at.round, stage.name, wanted.key)
        if manifest:
            stage.tidy(folder)
        return manifest

    def _finished(self, stage: Stage, at: Standing, manifest: Manifest) -> Manifest:
        self._ledger.finish_stage(at.round, manifest)
        return refuse_empty(stage, manifest, self._run_dir.stage(at.round, stage.name))

    # -- keys --------------------------------------------------------------------------------------------------------

    def _work(self, stage: Stage, at: Standing) -> Work:
        told: list[str] = []
        inputs: dict[str, dict[str, str]] = {name: {} for name in stage.reads}
        for name, source in stage.reads.items():
            for number in self._rounds(source, at):
                outputs = self._outputs(source, number)
                told.append(f"{name} {number} {json.dumps(outputs)}")
                folder = self._run_dir.stage(number, source.stage)
                inputs[name] |= {os.path.relpath(folder / file, self._run_dir.path): outputs[file] for file in outputs}
        if stage.waits_for:
            told.append(self._decided(stage, at, list(inputs[stage.waits_for].values())))
        return Work(make_key(stage, self._config, told, at.models[stage.model] if stage.model else None), inputs)

    def _decided(self, stage: Stage, at: Standing, rows: list[str]) -> str:
        """Return what a person has decided about the rows that a stage waits for, to be told in its key.

        Raises:
            WaitingError: nothing yet, or about other rows.
        """
        review = read_review(self._run_dir.stage(at.round, stage.name))
        if review is None or [review.rows] != rows:
            raise WaitingError(
                f"round {at.round} waits for a person to look at its selected rows: `inverse-instruct dashboard "
                f"{self._run_dir.path}` shows them; `inverse-instruct review {self._run_dir.path} --leave-out ID "
                "--reason WHY` leaves some out, `--accept` none; then the same command goes on"
            )
        return json.dumps(asdict(review))

    def _outputs(self, source: Input, round_number: int) -> Mapping[str, str]:
        outputs = self.intact(source.stage, round_number).outputs
        return {source.rows.file: outputs[source.rows.file]} if source.rows else outputs

    def _rounds(self, source: Input, at: Standing) -> list[int]:
        trained_on = list(self._config.rounds_trained_on(at.round))
        match source.when:
            case When.ONCE:
                return [0]
            case When.THIS:
                return [at.round]
            case When.EARLIER:
                return trained_on[:-1]
            case When.SO_FAR:
                return trained_on
            case When.COMPETING:
                return [at.round - 1] if self._config.per_snippet == "best_ever" and at.round > 1 else []
            case When.PROMOTED:
                return list(at.promoted)

    def intact(self, stage: str, round_number: int) -> Manifest:
        """Return the manifest of a finished stage whose files are about to be read; days may lie between."""
        folder = self._run_dir.stage(round_number, stage)
        manifest = read_manifest(folder)
        if manifest is None:
            raise DamagedFileError(f"{folder} is not as it was written")
        return manifest

    # -- work --------------------------------------------------------------------------------------------------------

    def _play(self, stage: Stage, at: Standing, wanted: Work) -> Manifest:
        room = self._room(stage, at, wanted)
        with self._progress([room]):
            if stage.model not in SERVED:
                return play(room)
            with leaving([room]):
                self._ask([room], at)
                manifest = room.finish()
        stage.tidy(room.place.folder)
        return manifest

    def _play_together(self, step: Together, at: Standing) -> Manifest:
        rooms = [self._room(stage, at, Work()) for stage in (step.first, step.second)]
        with self._progress(rooms), leaving(rooms):
            self._ledger.start_stage(at.round, step.second.name)
            rooms[1].metrics["together_with"] = step.first.name
            self._ask(rooms, at)
            manifests = []
            for room in rooms:  # what the second reads is there when the first is finished
                wanted = self._work(room.stage, at)
                manifests.append(room.finish(wanted.key, wanted.inputs))
        return manifests[0]

    def _room(self, stage: Stage, at: Standing, wanted: Work) -> Room:
        paths = {
            name: [
                self._run_dir.stage(number, source.stage) / (source.rows.file if source.rows else "")
                for number in self._rounds(source, at)
            ]
            for name, source in stage.reads.items()
        }
        place = Place(
            self._run_dir.stage(at.round, stage.name),
            at.round,
            self._config.seed,
            self._run_dir.logs,
            wanted.key,
            self._run_dir.checkpoint(at.round),
            at.models.get(Model.BASE),
            wanted.inputs,
        )
        return Room(stage, self._config, place, paths)

    def _progress(self, rooms: Sequence[Room]) -> Progress:
        """Return the progress of rooms that work together, which ends with the budget."""
        room = rooms[0]
        place = room.place.round, room.stage.name
        self._ledger.start_stage(*place)
        self._budget.watch(rooms)
        self._budget.check()

        def record(done: int, total: int | None) -> None:
            self._ledger.advance(*place, done, total)
            self._budget.check()

        room.progress = Progress(
            "round {} {}".format(*place), room.stage.unit, record, shown=room.stage.model in SERVED
        )
        return room.progress

    def _ask(self, rooms: Sequence[Room], at: Standing) -> None:
        served, config = rooms[0].stage.model, self._config.model
        assert served is not None
        model = at.models[served]
        formatter = PromptFormatter(model, config.prompt_format, config.template_date)

        began = time.monotonic()

        async def main(client: InferenceClient) -> None:
            rooms[0].metrics["waited_for_engine"] = round(time.monotonic() - began, 3)
            for room in rooms:
                room.asked = Asked(client, formatter, model_digest(model), config.max_model_len)
            async with ask_ahead(rooms, model, client) as ready:
                await work(rooms, ready)

        self._engines.ask(model, main)

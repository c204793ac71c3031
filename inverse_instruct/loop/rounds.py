"""The loop: the stages of a recipe round by round, and going on where a run stopped.

Enters: a config and a run directory. Leaves: rounds, checkpoints and the ledger. Kill this process anywhere and start
it again: the result is the one that an uninterrupted run gives.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ConfigError, DamagedFileError, InverseInstructError
from inverse_instruct.inference.models import model_digest, resolve_model
from inverse_instruct.loop.check import model_problems
from inverse_instruct.loop.engines import Engines
from inverse_instruct.loop.runner import Runner, Standing
from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.stages.stage import Model
from inverse_instruct.store.ledger import Checkpoint, Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.run_dir import RunDir

MAX_REBUILDS = 3  # of damaged files in one start: a disk that spoils more than that is not to be worked on

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incumbent:
    """The promoted checkpoint: M of the next round."""

    round: int
    model: Path


class Loop:
    """One run under way."""

    def __init__(self, config: RunConfig, run_dir: RunDir, ledger: Ledger, recipe: Recipe | None = None) -> None:
        """Resolve the models.

        Args:
            config: of the run.
            run_dir: where it is.
            ledger: of the run.
            recipe: what is played; None: the one that the config names.

        Raises:
            ModelError: one of the models is not there, or is not whole.
            ConfigError: one does not fit the config.
        """
        self._config, self._run_dir, self._ledger = config, run_dir, ledger
        self._recipe = recipe or RECIPES[config.recipe]
        self._base = resolve_model(config.model.base)
        self._start = resolve_model(config.model.start) if config.model.start else None
        self.models = {"model.base": self._base} | ({"model.start": self._start} if self._start else {})
        problems = [problem for key, folder in self.models.items() for problem in model_problems(config, key, folder)]
        if problems:  # of a model that was downloaded, `check` could not know them
            raise ConfigError(list(dict.fromkeys(problems)))
        self._engines = Engines(config, run_dir.logs, self._start, ledger.add_event)
        self._runner = Runner(config, run_dir, ledger, self._engines)
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
                self._engines.stop()

    def _play_rounds(self) -> None:
        if stale := self._stale():
            logger.warning(
                "%s will be done again: what the result depends on has changed, or the program has; stop "
                "now and copy %s if you want to keep what is there",
                ", ".join(stale),
                self._run_dir.path,
            )
        self._incumbent = None
        for number in range(self._config.rounds + 1):
            if self._play(number):
                self._ledger.add_event("the round is complete", number)

    def _stale(self) -> list[str]:
        """Return the stages that are finished, but not of what the run is now, as `round 1 train`."""
        self._incumbent = None
        stale = []
        try:
            for number in range(self._config.rounds + 1):
                model = self._start if number == 0 and self._start else self._run_dir.checkpoint(number)
                for stage in self._recipe.of_round(number):
                    if found := read_manifest(self._run_dir.stage(number, stage.name)):
                        if not self._runner.is_of(stage, self._standing(number, model), found):
                            stale.append(f"round {number} {stage.name}")
                        if stage is self._recipe.decide and found.metrics["promoted"]:
                            self._incumbent = Incumbent(number, model)
        except InverseInstructError:  # what is damaged is told when it is read for good
            pass
        return stale

    def _play(self, number: int) -> bool:
        """Play one round; tell whether there was anything left to do."""
        recipe = self._recipe
        unfinished = read_manifest(self._run_dir.stage(number, recipe.decide.name)) is None
        if number == 0 and self._start and unfinished:
            self._engines.prepare(self._start)  # it loads while the corpus is read
        for step in recipe.data if number else recipe.corpus:
            self._runner.run(step, self._standing(number))
        model = self._start if number == 0 and self._start else self._train(number)
        evaluated = self._runner.run(recipe.evaluate, self._standing(number, model))
        decided = self._runner.run(recipe.decide, self._standing(number, model))
        self._record(number, model, evaluated, decided)
        return unfinished

    def _train(self, number: int) -> Path:
        self._runner.run(self._recipe.train, self._standing(number))
        return self._run_dir.checkpoint(number)

    def _standing(self, number: int, trained: Path | None = None) -> Standing:
        models, incumbent = {Model.BASE: self._base}, self._incumbent
        if incumbent:
            models[Model.PROMOTED] = incumbent.model
            if incumbent.model != self._start:
                self._runner.intact(self._recipe.train.name, incumbent.round)
        return Standing(
            number, models | ({Model.TRAINED: trained} if trained else {}), incumbent.round if incumbent else None
        )

    def _record(self, number: int, model: Path, evaluated: Manifest, decided: Manifest) -> None:
        promoted = decided.metrics["promoted"]
        self._ledger.add_checkpoint(
            Checkpoint(
                round=number,
                path=str(model.absolute()),
                digest=model_digest(model),
                parent="" if model == self._start else model_digest(self._base),
                state="promoted" if promoted else "candidate",
                reason=decided.metrics["reason"],
                metrics=evaluated.metrics,
            )
        )
        if promoted:
            self._incumbent = Incumbent(number, model)

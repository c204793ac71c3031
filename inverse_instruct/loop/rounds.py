"""The loop: the stages of a recipe round by round, and going on where a run stopped.

Enters: a config and a run directory. Leaves: rounds, checkpoints and the ledger. Kill this process anywhere and start
it again: the result is the one that an uninterrupted run gives.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import DamagedFileError, InverseInstructError
from inverse_instruct.inference.models import model_digest
from inverse_instruct.loop.engines import Engines
from inverse_instruct.loop.models import resolve_models
from inverse_instruct.loop.runner import Runner, Standing
from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.stages.stage import Model
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.shared_devices import SharedDevices

MAX_REBUILDS = 3  # of damaged files in one start: a disk that spoils more than that is not to be worked on
WILL_BE_DONE_AGAIN = (
    "%s will be done again: what the result depends on has changed, or the program has; stop now and copy %s if you "
    "want to keep what is there"
)

NO_GAIN = "the run ends after round %d: %d in a row passed no more than the best before them (promote.patience)"

logger = logging.getLogger(__name__)


class Loop:
    """One run under way."""

    def __init__(
        self,
        config: RunConfig,
        run_dir: RunDir,
        ledger: Ledger,
        recipe: Recipe | None = None,
        others: Sequence[RunDir] = (),
        shared: SharedDevices | None = None,
    ) -> None:
        """Resolve the models; errors as of `resolve_models`.

        Args:
            config: of the run.
            run_dir: where it is.
            ledger: of the run.
            recipe: what is played; None: the one that the config names.
            others: runs whose finished stages are taken over where the keys are equal.
            shared: devices that a gateway uses in turn with this run.
        """
        self._config, self._run_dir, self._ledger = config, run_dir, ledger
        self._recipe = recipe or recipe_of(config)
        self.models = resolve_models(config)
        self._base, self._start = self.models["model.base"], self.models.get("model.start")
        self._engines = Engines(config, run_dir.logs, self._start, ledger.add_event, shared)
        self._runner = Runner(config, run_dir, ledger, self._engines, others)
        self._promoted: list[int] = []  # rounds whose checkpoints were; the last one's is M of the next round

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
        if stale := ", ".join(self._stale()):
            logger.warning(WILL_BE_DONE_AGAIN, stale, self._run_dir.path)
        self._promoted = []
        without_gain = 0
        for number in range(self._config.rounds + 1):
            unfinished, gains = self._play(number)
            if unfinished:
                self._ledger.add_event("the round is complete", number)
            without_gain = 0 if gains else without_gain + 1
            if without_gain == self._config.promote.patience and number < self._config.rounds:
                logger.warning(NO_GAIN, number, without_gain)
                return

    def _stale(self) -> list[str]:
        """Return the stages that are finished, but not of what the run is now, as `round 1 train`."""
        self._promoted = []
        stale = []
        try:
            for number in range(self._config.rounds + 1):
                model = self._model(number)
                for stage in self._recipe.of_round(number):
                    if found := read_manifest(self._run_dir.stage(number, stage.name)):
                        if not self._runner.is_of(stage, self._standing(number, model), found):
                            stale.append(f"round {number} {stage.name}")
                        if (decision := found.measures.decision) and decision.promoted:
                            self._promoted.append(number)
        except InverseInstructError:  # what is damaged is told when it is read for good
            pass
        return stale

    def _play(self, number: int) -> tuple[bool, bool]:
        """Play one round; tell whether there was anything left to do, and whether it passes more than all before."""
        recipe = self._recipe
        unfinished = read_manifest(self._run_dir.stage(number, recipe.decide.name)) is None
        if number == 0 and self._start and unfinished and recipe.corpus_leaves_devices:
            self._engines.prepare(self._start)  # it loads while the corpus is read
        for step in recipe.data if number else recipe.corpus:
            self._runner.run(step, self._standing(number))
        model = self._model(number)
        if model != self._start:
            self._runner.run(recipe.train, self._standing(number))
        evaluated = self._runner.run(recipe.evaluate, self._standing(number, model))
        decided = self._runner.run(recipe.decide, self._standing(number, model))
        return unfinished, self._record(number, model, evaluated, decided)

    def _model(self, number: int) -> Path:
        return self._start if number == 0 and self._start else self._run_dir.checkpoint(number)

    def _standing(self, number: int, trained: Path | None = None) -> Standing:
        models = {Model.BASE: self._base}
        if self._promoted:
            models[Model.PROMOTED] = self._model(self._promoted[-1])
            if models[Model.PROMOTED] != self._start:
                self._runner.intact(self._recipe.train.name, self._promoted[-1])
        models |= {Model.TRAINED: trained} if trained else {}
        return Standing(number, models, tuple(self._promoted))

    def _record(self, number: int, model: Path, evaluated: Manifest, decided: Manifest) -> bool:
        decision = decided.measures.decision
        assert decision is not None, f"{decided.stage} decides"
        self._ledger.add_checkpoint(
            Checkpoint(
                round=number,
                path=str(model.absolute()),
                digest=model_digest(model),
                parent="" if model == self._start else model_digest(self._base),
                state="promoted" if decision.promoted else "candidate",
                reason=decision.reason,
                metrics=evaluated.metrics,
            )
        )
        if decision.promoted:
            self._promoted.append(number)
        return decision.gains

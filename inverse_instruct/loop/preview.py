"""A run in small: some rows through every stage of one round, and from that what the whole run takes.

Enters: a config. Leaves: a finished run of it in a folder of its own, and an estimate. What does not grow with the rows
(an engine that loads, workers that start, an export) is told apart from what does, which is taken as in proportion.
Not guaranteed: the estimate where larger batches are much faster than those of the preview, as on GPUs; it is too high.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop.plan import bytes_used, make_plan
from inverse_instruct.loop.run import run
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.stages.evaluate import EVALUATE, Evaluation
from inverse_instruct.store.files import write_json
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.run_dir import RunDir

MARK = "preview.json"
TASKS = 4
"""Of each suite, that are asked."""


@dataclass(frozen=True)
class StageCost:
    """What one stage takes in the whole run, all rounds together."""

    stage: str
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Measured:
    """What the whole run takes, by what the preview took."""

    stages: tuple[StageCost, ...]
    disk_bytes: int

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)


def preview_config(config: RunConfig, rows: int) -> RunConfig:
    """Return the config of a run in small: so many rows, one round, a few tasks of each suite."""

    def least(limit: int | None, most: int) -> int:
        return most if limit is None else min(limit, most)

    each = -(-rows // max(1, len(config.corpus)))
    corpus = [source.model_copy(update={"limit": least(source.limit, each), "share": 1.0}) for source in config.corpus]
    suites = [suite.model_copy(update={"limit": least(suite.limit, TASKS)}) for suite in config.evaluate.suites]
    coreset = {"size": least(config.coreset.size, rows)}
    bootstrap = {"instructions": min(config.bootstrap.instructions, rows)}
    return config.model_copy(
        update={
            "rounds": 1,
            "corpus": corpus,
            "evaluate": config.evaluate.model_copy(update={"suites": suites}),
            "coreset": config.coreset.model_copy(update=coreset),
            "selection": config.selection.model_copy(update={"review": "none"}),
            "bootstrap": config.bootstrap.model_copy(update=bootstrap),
        }
    )


def make_room(folder: Path) -> None:
    """Remove an earlier preview.

    Raises:
        RunDirError: the folder holds something else, or the preview is under way.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise RunDirError(f"{folder} is no preview; move it away, or name another --run-dir")
        if RunDir(folder).is_locked():
            raise RunDirError(f"{folder} is the preview of another process, which goes on; name another --run-dir")
        shutil.rmtree(folder)


def preview(config: RunConfig, rows: int, folder: Path) -> Measured:
    """Play the preview of a run.

    Args:
        config: of the whole run.
        rows: of the corpus.
        folder: for the preview; see `make_room`.

    Raises:
        InverseInstructError: a stage failed, as it would in the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MARK, {"rows": rows})
    small = preview_config(config, rows)
    run(small, folder)
    return estimate(config, small, folder)


def estimate(config: RunConfig, small: RunConfig, folder: Path) -> Measured:
    """Return what a run takes by the manifests of its preview."""
    whole, part = (
        {step.stage.removesuffix(" (once)"): step.rows for step in make_plan(of).steps} for of in (config, small)
    )
    factors = {verb: rows / part[verb] for verb, rows in whole.items() if part.get(verb)}
    factors[EVALUATE.verb] = _samples(config) / max(1, _samples(small))
    rows = factors.get(recipe_of(config).stages[0].verb, 1.0)
    with Ledger(RunDir(folder).ledger) as ledger:
        manifests = {(row.round, row.stage): row.manifest for row in ledger.stages() if row.manifest}
    once, each, checkpoints = (bytes_used(folder / name) for name in ("round-00", "round-01", "checkpoints"))
    disk = rows * (once + config.rounds * each) + max(1, config.rounds) * checkpoints
    return Measured(tuple(_costs(config, manifests, factors, rows)), int(disk))


def _samples(config: RunConfig) -> int:
    return Evaluation(config.evaluate, config.summarize, Path(), seed=config.seed).total()


def _costs(
    config: RunConfig, manifests: Mapping[tuple[int, str], Manifest], factors: Mapping[str, float], rows: float
) -> Iterator[StageCost]:
    for stage in recipe_of(config).stages:
        seconds, tokens = 0.0, 0.0
        for number in (0, 1):
            manifest = manifests.get((number, stage.name))
            if manifest is None or manifest.measures.together_with:
                continue
            times = config.rounds if number else 1
            factor = factors.get(stage.verb, rows)
            fixed = fixed_seconds(manifest)
            seconds += times * (fixed + factor * (manifest.seconds - fixed))
            tokens += times * factor * sum(manifest.tokens.values())
        yield StageCost(stage.verb, seconds, int(tokens))


def fixed_seconds(manifest: Manifest) -> float:
    """Return the part of a stage's time that does not grow with its rows."""
    steps: float = sum(phase.seconds for phase in manifest.measures.phases)
    return manifest.seconds - steps if steps else min(manifest.seconds, manifest.measures.waited_for_engine)

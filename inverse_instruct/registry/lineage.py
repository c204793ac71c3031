"""Where a checkpoint came from: its base, the rows that trained it and who wrote them, its training and its measures.

Enters: a run directory and its ledger. Leaves: a record for `checkpoints show` and for the cards of an export. The
numbers are those of the manifests; nothing is measured here. What a run has not recorded is None or left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.identity import config_digest
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ModelError
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint, Promotion
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.measures import Decision, Phase, SuiteReport
from inverse_instruct.store.run_dir import RunDir, StageFile


@dataclass(frozen=True)
class RunOrigin:
    """The run that a checkpoint is of."""

    name: str
    path: str
    seed: int
    config_digest: str


@dataclass(frozen=True)
class BaseModel:
    """The model that training started from."""

    name: str
    digest: str


@dataclass(frozen=True)
class CheckpointFiles:
    """The folder of a checkpoint as it is now."""

    path: str
    bytes: int
    problem: str | None  # None: its digest is the one that was measured


@dataclass(frozen=True)
class TrainedOn:
    """A file of rows that a checkpoint was trained on."""

    data: str  # the input of the training
    round: int
    file: str  # relative to the run
    digest: str | None  # SHA-256; None: not known
    rows: int | None
    written_by: str | None  # the checkpoint; None: no model of this run


@dataclass(frozen=True)
class Lineage:
    """The whole lineage of a checkpoint; the names of the fields are stable."""

    name: str
    round: int
    state: str
    digest: str
    created: float  # seconds since 1970
    run: RunOrigin
    base: BaseModel | None  # None: it was given, the run trained nothing for it
    given: str | None
    parent: str | None  # the checkpoint that wrote the newest rows; None: no model wrote rows
    files: CheckpointFiles
    data: tuple[TrainedOn, ...]
    phases: tuple[Phase, ...]
    suites: dict[str, SuiteReport]
    rival: str | None  # what it was compared with
    decision: Decision | None
    promotions: tuple[Promotion, ...]  # from and to it

    @property
    def self_generated(self) -> tuple[TrainedOn, ...]:
        """The rows that models of the run have written."""
        return tuple(data for data in self.data if data.data == "selected")


@dataclass(frozen=True)
class History:
    """What a run recorded, read once."""

    run_dir: RunDir
    config: RunConfig
    checkpoints: list[Checkpoint]
    promotions: list[Promotion]
    manifests: dict[tuple[int, str], Manifest]  # (round, stage) -> the manifest of the finished stage

    def of_round(self, round_number: int) -> list[Manifest]:
        """Return the manifests of a round's finished stages."""
        return [manifest for (number, _), manifest in self.manifests.items() if number == round_number]

    def name(self, round_number: int) -> str:
        """Return the name of a round's checkpoint."""
        return next(checkpoint.name for checkpoint in self.checkpoints if checkpoint.round == round_number)

    def decision(self, round_number: int) -> Decision | None:
        """Return what was decided about a round's checkpoint."""
        return next((found for each in self.of_round(round_number) if (found := each.measures.decision)), None)

    def incumbent(self, round_number: int) -> int | None:
        """Return the round whose checkpoint wrote a round's rows and was its rival: promoted by the loop last."""
        earlier = {number for number, _ in self.manifests if number < round_number}
        promoted = [number for number in earlier if (decision := self.decision(number)) and decision.promoted]
        return max(promoted, default=None)


def read_history(path: Path, ledger: Ledger) -> History:
    """Read the record of a run.

    Raises:
        ConfigError: its config cannot be read.
    """
    run_dir = RunDir(path)
    return History(
        run_dir,
        load_config(run_dir.config),
        ledger.checkpoints(),
        ledger.promotions(),
        {(row.round, row.stage): row.manifest for row in ledger.stages() if row.manifest},
    )


def describe_lineage(history: History, checkpoint: Checkpoint) -> Lineage:
    """Return the whole lineage of a checkpoint. Reads all of its weights once."""
    config, number = history.config, checkpoint.round
    training = next((each for each in history.of_round(number) if each.measures.phases), None)
    incumbent = history.incumbent(number)
    rival = history.name(incumbent) if incumbent is not None else None
    return Lineage(
        name=checkpoint.name,
        round=number,
        state=checkpoint.state,
        digest=checkpoint.digest,
        created=checkpoint.created,
        run=RunOrigin(config.name, str(history.run_dir.path), config.seed, config_digest(config)),
        base=BaseModel(config.model.base, checkpoint.parent) if checkpoint.parent else None,
        given=None if checkpoint.parent else config.model.start,
        parent=rival if training else None,
        files=_describe_files(checkpoint),
        data=tuple(_trained_on(history, training)) if training else (),
        phases=training.measures.phases if training else (),
        suites=checkpoint.measures.suites,
        rival=rival,
        decision=history.decision(number),
        promotions=tuple(move for move in history.promotions if number in (move.round, move.over)),
    )


def _trained_on(history: History, training: Manifest) -> Iterator[TrainedOn]:
    """Yield the files that the phases were trained on."""
    named = {phase.data for phase in training.measures.phases}
    for data, files in training.inputs.items():
        for file, sha256 in files.items() if {data, "mixed"} & named else ():
            place = StageFile.of(file)
            source = history.manifests.get((place.round, place.stage))
            rows = source.rows[place.name].rows if source and place.name in source.rows else None
            writer = history.incumbent(place.round)
            if rows != 0:
                yield TrainedOn(data, place.round, file, sha256, rows, None if writer is None else history.name(writer))


def _describe_files(checkpoint: Checkpoint) -> CheckpointFiles:
    folder = Path(checkpoint.path)
    try:
        verify_checkpoint(checkpoint)
        problem = None
    except ModelError as error:
        problem = str(error)
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    return CheckpointFiles(checkpoint.path, size, problem)

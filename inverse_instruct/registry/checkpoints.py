"""The checkpoints of a run and how the promoted one changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.registry.lineage import Lineage, describe_lineage, read_history
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint, Promotion
from inverse_instruct.store.measures import Rates
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class CheckpointRow:
    """A checkpoint in a list."""

    name: str
    round: int
    state: str
    digest: str
    parent: str  # digest of the base model it was trained from, or "" for a given model
    path: str
    pass_at_1: dict[str, Rates | None]  # by suite
    reason: str  # of the loop's decision
    created: float  # seconds since 1970


@dataclass(frozen=True)
class Listing:
    """All checkpoints and promotions of a run; the names of the fields are stable."""

    run_dir: str
    checkpoints: list[CheckpointRow]
    promotions: list[Promotion]


def list_checkpoints(path: Path) -> Listing:
    """Return all checkpoints and promotions of a run.

    Raises:
        RunDirError: the folder holds no run.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        return Listing(str(path), [_row(checkpoint) for checkpoint in ledger.checkpoints()], ledger.promotions())


def _row(checkpoint: Checkpoint) -> CheckpointRow:
    return CheckpointRow(
        checkpoint.name,
        checkpoint.round,
        checkpoint.state,
        checkpoint.digest,
        checkpoint.parent,
        checkpoint.path,
        {name: report.pass_at_1 for name, report in checkpoint.measures.suites.items()},
        checkpoint.reason,
        checkpoint.created,
    )


def show_checkpoint(path: Path, name: str) -> Lineage:
    """Return the whole lineage of a checkpoint, see `describe_lineage`.

    Raises:
        RunDirError: there is no such run or checkpoint.
        ConfigError: the run's config cannot be read.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        checkpoint = ledger.find(name)
        return describe_lineage(read_history(path, ledger), checkpoint)

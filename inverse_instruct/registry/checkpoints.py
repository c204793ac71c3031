"""The checkpoints of a run and where they came from, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from inverse_instruct.registry.lineage import describe_lineage, read_history
from inverse_instruct.store.ledger import Checkpoint, Ledger
from inverse_instruct.store.run_dir import RunDir


def list_checkpoints(path: Path) -> dict[str, Any]:
    """Return all checkpoints and promotions of a run as plain values; the keys are stable.

    Raises:
        RunDirError: the folder holds no run.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        return {
            "run_dir": str(path),
            "checkpoints": [_row(checkpoint) for checkpoint in ledger.checkpoints()],
            "promotions": [asdict(move) for move in ledger.promotions()],
        }


def _row(checkpoint: Checkpoint) -> dict[str, Any]:
    suites = checkpoint.metrics.get("suites", {})
    return {
        "name": checkpoint.name,
        "round": checkpoint.round,
        "state": checkpoint.state,
        "digest": checkpoint.digest,
        "parent": checkpoint.parent,
        "path": checkpoint.path,
        "pass_at_1": {name: report["pass_at_k"].get("1") for name, report in suites.items()},
        "reason": checkpoint.reason,
        "created": checkpoint.created,
    }


def show_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """Return the whole lineage of a checkpoint, see `describe_lineage`.

    Raises:
        RunDirError: there is no such run or checkpoint.
        ConfigError: the run's config cannot be read.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        checkpoint = ledger.find(name)
        return describe_lineage(read_history(path, ledger), checkpoint)

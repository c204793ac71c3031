"""The registry of a run: what `checkpoints list | show | promote | rollback` answer and do.

Enters: a run directory. Leaves: plain values, and changes of which checkpoint is the promoted one (see `promotions`).
"""

from __future__ import annotations

import argparse
import getpass
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inverse_instruct.checkpoint_printing import print_change, print_checkpoints, print_export, print_lineage
from inverse_instruct.export import export_checkpoint
from inverse_instruct.ledger import Checkpoint, Ledger
from inverse_instruct.lineage import describe_lineage, read_history
from inverse_instruct.promotions import promote_checkpoint, roll_back
from inverse_instruct.run_dir import RunDir, newest_run


def run_command(arguments: argparse.Namespace) -> None:
    """Run the subcommand of `checkpoints` that the command line names.

    Raises:
        InverseInstructError: there is no such run or checkpoint, or its files are not what was measured.
    """
    path = arguments.run_dir or newest_run()
    match arguments.checkpoints:
        case "list":
            print_checkpoints(list_checkpoints(path), arguments.json)
        case "show":
            print_lineage(show_checkpoint(path, arguments.name), arguments.json)
        case "promote":
            print_change(*promote_checkpoint(RunDir(path), arguments.name, arguments.reason, author=_user()))
        case "rollback":
            print_change(*roll_back(RunDir(path), arguments.reason, author=_user()))
        case "export":
            print_export(*export_checkpoint(path, arguments.name, arguments.output))


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
        "name": checkpoint.name, "round": checkpoint.round, "state": checkpoint.state, "digest": checkpoint.digest,
        "parent": checkpoint.parent, "path": checkpoint.path,
        "pass_at_1": {name: report["pass_at_k"].get("1") for name, report in suites.items()},
        "reason": checkpoint.reason, "created": checkpoint.created,
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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"

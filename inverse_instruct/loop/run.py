"""One start of a run: the lock, what is pinned, the state in the ledger, and what a full disk means.

Enters: a config and a run directory. Leaves: what the loop leaves, see `rounds`, and a ledger that says how the start
ended. Killed instead, the kernel frees the lock and `status` says interrupted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import BudgetSpent, InverseInstructError, WaitingError
from inverse_instruct.loop.disk_space import disk_error
from inverse_instruct.loop.pinned_config import pin_config, pin_models, pin_ranks
from inverse_instruct.loop.rounds import Loop
from inverse_instruct.store.event_log import warnings_as_events
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.shared_devices import SharedDevices


def run(config: RunConfig, path: Path, others: Sequence[Path] = ()) -> None:
    """Play all rounds of a run, or what is left of them.

    Args:
        config: of the run.
        path: its folder.
        others: runs whose finished stages are taken over where the keys are equal.

    Raises:
        RunDirError: the folder is in use, belongs to another config or other models, or its disk is full.
        BudgetSpent: this start has taken what it may take; running again goes on.
        WaitingError: a person is to look at the selected rows first; running again after that goes on.
        InverseInstructError: a stage failed; running again goes on from there.
    """
    run_dir = RunDir(path)
    try:
        with run_dir.lock():
            config = pin_config(config, run_dir)
            with Ledger(run_dir.ledger, create=True) as ledger, warnings_as_events(run_dir.ledger):
                _play(config, run_dir, ledger, list(map(RunDir, others)))
    except (OSError, InverseInstructError) as error:
        raise disk_error(error, config, path) or error from error


def _play(config: RunConfig, run_dir: RunDir, ledger: Ledger, others: Sequence[RunDir]) -> None:
    state = "failed"
    try:
        _set_state(ledger, config, "running")
        shared = SharedDevices.inherited(os.environ)
        loop = Loop(config, run_dir, ledger, others=others, shared=shared)
        pin_models(loop.models, run_dir)
        pin_ranks(config, run_dir)
        loop.play()
        state = "done"
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    except (BudgetSpent, WaitingError) as error:
        state = "waiting" if isinstance(error, WaitingError) else "interrupted"
        ledger.add_event(str(error))
        raise
    except InverseInstructError as error:
        ledger.add_event(f"failed: {error}")
        raise
    finally:
        _set_state(ledger, config, state)


def _set_state(ledger: Ledger, config: RunConfig, state: str) -> None:
    ledger.set_run(config.name, config.rounds, state, os.getpid(), socket.gethostname())

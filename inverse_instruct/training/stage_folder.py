"""The folder of the stage: nobody else writes into it, nothing of another job is in it, nothing useless stays.

Not guaranteed: that stale workers on other machines of a hostfile are seen where the file system has no shared locks.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from pathlib import Path

from inverse_instruct.errors import TrainingError
from inverse_instruct.store.folder_lock import HELD
from inverse_instruct.training.job import PhaseFolder

STALE_WORKERS_SECONDS = 60.0  # the supervisor ends them within ten


def await_stale_workers(lock: Path) -> None:
    """Wait until no worker of a killed training is left; each holds the lock while it runs.

    Raises:
        TrainingError: one is still there after `STALE_WORKERS_SECONDS`.
    """
    deadline = time.monotonic() + STALE_WORKERS_SECONDS
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in HELD:
                    raise TrainingError(
                        f"{lock.parent}: its file system cannot lock files ({error.strerror}), so that nobody could "
                        "tell whether an earlier training still writes there; choose another --run-dir"
                    ) from error
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"workers of an earlier training still write into {lock.parent}; end them "
                        f"(`fuser {lock}` names them) and run again"
                    ) from None
            time.sleep(0.2)


def discard_other_work(folder: Path, key: str) -> None:
    """Remove what was made for another key, and put down this one."""
    mark = folder / "key"
    if mark.is_file() and mark.read_text() == key:
        return
    for leftover in [*folder.glob("phase-*"), folder / "tensorboard"]:
        shutil.rmtree(leftover, ignore_errors=True)
    (folder / "manifest.json").unlink(missing_ok=True)
    mark.write_text(key)


def remove_intermediate_files(folder: Path) -> None:
    """Remove what only an unfinished stage needs: exports, step checkpoints, token ids."""
    for path in folder.glob("phase-*"):
        paths = PhaseFolder(path)
        for leftover in (paths.export, paths.steps):
            shutil.rmtree(leftover, ignore_errors=True)
        paths.prepared.unlink(missing_ok=True)
        paths.sequences.unlink(missing_ok=True)

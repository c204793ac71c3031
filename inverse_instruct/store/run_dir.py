"""The places of a run on disk, and the lock that one process at a time holds."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.folder_lock import is_locked, lock_folder

ANALYSIS_FORMAT = 1  # of `RunDir.analysis`; pages pass over other ones


def newest_run(folder: Path = Path("runs")) -> Path:
    """Return the run in a folder of runs whose ledger was written last.

    Raises:
        RunDirError: there is none.
    """
    ledgers = sorted(folder.glob("*/ledger.db"), key=lambda ledger: ledger.stat().st_mtime)
    if not ledgers:
        raise RunDirError(f"there is no run under {folder}/; name a run directory")
    return ledgers[-1].parent


@dataclass(frozen=True)
class StageFile:
    """A file that a stage of a round has written."""

    round: int
    stage: str
    name: str  # relative to the stage's folder

    @classmethod
    def of(cls, path: str) -> StageFile:
        """Return what is told by a path that is relative to the run, such as `round-01/selection/selected.parquet`."""
        folder, stage, name = path.split("/", 2)
        return cls(int(folder.removeprefix("round-")), stage, name)


@dataclass(frozen=True)
class RunDir:
    """The places in a run's folder."""

    path: Path

    def round(self, number: int) -> Path:
        """Return the folder of a round's stages."""
        return self.path / f"round-{number:02d}"

    def stage(self, round_number: int, stage: str) -> Path:
        """Return the folder of a stage of a round."""
        return self.round(round_number) / stage

    def checkpoint(self, round_number: int) -> Path:
        """Return the folder of the checkpoint that a round trained."""
        return self.path / "checkpoints" / f"round-{round_number:02d}"

    @property
    def config(self) -> Path:
        """The resolved config, written once."""
        return self.path / "run.yaml"

    @property
    def ledger(self) -> Path:
        """The SQLite record of the run."""
        return self.path / "ledger.db"

    @property
    def analysis(self) -> Path:
        """What the command `analyze` has found its rows to be like; JSON."""
        return self.path / "analysis.json"

    @property
    def logs(self) -> Path:
        """Where servers and trainers log."""
        return self.path / "logs"

    def is_locked(self) -> bool:
        """Tell whether a process holds the run."""
        return is_locked(self.path)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the run for this process.

        Raises:
            RunDirError: another process holds it (its pid and host are named), or the folder cannot be written.
        """
        return lock_folder(self.path, "--run-dir")

"""One folder of runs as a service: what may be asked of it, whoever asks.

Enters: configs and names of runs. Leaves: runs that are played one after the other, and plain values that tell where
each is. Each method but `play` may be called from any thread. Not guaranteed: anything for folders in which
somebody else runs commands by hand, but that no run has two processes: the run's own lock says who has it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import NoRunError, NotFoundError, RunDirError
from inverse_instruct.loop.pinned_config import pin_config, with_date
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.runner import RunPlayer
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import RunStatus, summarize_run

logger = logging.getLogger(__name__)

HOME = ".service"
"""What is the service's own in its folder of runs: the queue, and the locks of devices that are used in turn."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # no path leaves the folder, and no hidden file is meant


@dataclass(frozen=True)
class ServedRun:
    """Where a run is, and what is wanted of it."""

    name: str
    state: str  # queued, running, stopping, stopped, done, failed, waiting or interrupted
    wanted: str | None  # "running" or "stopped"; None: nobody has asked for anything
    queue_position: int | None
    reason: str | None  # of the end of its last process
    status: RunStatus

    def plain(self) -> dict[str, Any]:
        """Return the `status --json` of the run with the rest; the keys are stable."""
        own = {name: value for name, value in vars(self).items() if name != "status"}
        return own | self.status.plain()


@contextmanager
def open_loop_service(runs: Path, allowed: Allowed) -> Iterator[LoopService]:
    """Hold a folder of runs for this process, and give what plays them.

    Args:
        runs: the folder.
        allowed: what submitted configs may name.

    Raises:
        RunDirError: another service holds it, or its queue is damaged.
    """
    home = RunDir(runs / HOME)
    with home.lock():
        yield LoopService(runs, RunQueue(home.path / "queue.json"), allowed)


class LoopService:
    """The runs of one folder."""

    def __init__(self, runs: Path, queue: RunQueue, allowed: Allowed) -> None:
        """Take the folder, what was wanted of its runs before, and what submitted configs may name."""
        self.runs = runs
        self.allowed = allowed
        self.devices: Sequence[str] | None = None
        """GPUs of the runs, as CUDA_VISIBLE_DEVICES names them; None: all that are visible."""
        self._queue = queue
        self._submitting = Lock()
        self._player: RunPlayer | None = None

    @asynccontextmanager
    async def play(self, shared: Path | None = None) -> AsyncIterator[None]:
        """Play what is wanted while the block runs; at its end a run under way is stopped, but wanted still.

        Args:
            shared: folder of the locks by which the runs and a gateway use devices in turn; None: they do not.
        """
        self._player = RunPlayer(
            self.runs,
            self._queue,
            self.allowed,
            devices=self.devices,
            shared=shared,
        )
        task = asyncio.create_task(self._player.play())
        task.add_done_callback(_log_end)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def vouch_for(self, config: RunConfig) -> None:
        """Let submitted configs name what this one names, which is of the person who starts the service."""
        self.allowed = self.allowed.with_own(config)

    def is_submitted(self, name: str) -> bool:
        """Tell whether a run's config came over HTTP."""
        return self._queue.get(name) is not None and self._queue.is_submitted(name)

    def submit(self, config: RunConfig, name: str, *, submitted: bool = True) -> bool:
        """Put a run in the queue; tell whether it is new. One that is known with this very config stays as it is.

        Args:
            config: a checked config.
            name: of the run's folder.
            submitted: whether it came over HTTP, and is examined each time before it is played.

        Raises:
            RunDirError: the name is taken by a run with another config, or it is being played.
        """
        run_dir = RunDir(self.runs / name)
        with self._submitting:
            known = load_config(run_dir.config) if run_dir.config.is_file() else None
            config = with_date(config, known)
            if config == known and self._queue.get(name):
                if not submitted:
                    self._queue.vouch_for(name)
                return False
            if known and self._player and self._queue.is_wanted(name):
                raise RunDirError(f"the run {name} is being played with another config; stop it first")
            pin_config(config, run_dir)
            self._queue.want(name, submitted=submitted)
        return known is None

    def stop_run(self, name: str) -> None:
        """Take a run out of the queue; if it is being played, it is stopped as by Ctrl-C.

        Raises:
            RunDirError: there is no such run, or it is not in the queue.
        """
        self.find(name)
        if not self._queue.is_wanted(name):
            raise RunDirError(f"the run {name} is not in the queue; there is nothing to stop")
        self._queue.end(name, "stopped", "stopped by a person")

    def resume_run(self, name: str) -> None:
        """Put a run in the queue again; it goes on where it was.

        Raises:
            RunDirError: there is no such run.
            ConfigError: its config came over HTTP, and names what it may not name now.
        """
        config = load_config(self.find(name).config)
        if self._queue.is_submitted(name):
            self.allowed.admit(config)
        self._queue.want(name)

    def find(self, name: str) -> RunDir:
        """Return the folder of a run.

        Raises:
            NotFoundError: there is none.
        """
        run_dir = RunDir(self.runs / name)
        if not NAME.fullmatch(name) or not run_dir.config.is_file():
            raise NotFoundError(f"there is no run {name!r}; GET /api/runs lists them")
        return run_dir

    def describe(self, name: str) -> ServedRun:
        """Return where a run is, and what is wanted of it.

        Raises:
            RunDirError: there is no such run, or its ledger is damaged.
        """
        run_dir = self.find(name)
        try:
            status = summarize_run(run_dir.path)
        except NoRunError:
            status = RunStatus(str(run_dir.path))
        queued = self._queue.get(name)
        waiting = self._queue.waiting()
        return ServedRun(
            name,
            self._state(name, status),
            queued.wanted if queued else None,
            waiting.index(name) if name in waiting else None,
            queued.reason or None if queued else None,
            status,
        )

    def list_runs(self) -> list[dict[str, Any]]:
        """Return all runs of the folder, by name: of each the state, and its latest stage."""
        names = sorted(path.parent.name for path in self.runs.glob("*/run.yaml") if NAME.fullmatch(path.parent.name))
        return [self._list_row(name) for name in names]

    def _list_row(self, name: str) -> dict[str, Any]:
        try:
            run = self.describe(name)
        except RunDirError as error:  # one damaged ledger does not hide the other runs
            return {"name": name, "state": "damaged", "reason": str(error)}
        stage = max(run.status.stages, key=lambda stage: stage.updated, default=None)
        return {key: getattr(run, key) for key in ("name", "state", "wanted", "queue_position", "reason")} | {
            "rounds": run.status.run.rounds if run.status.run else None,
            **{key: getattr(stage, key, None) for key in ("round", "stage", "done", "total")},
        }

    def _state(self, name: str, status: RunStatus) -> str:
        """Say in a word where a run is."""
        queued = self._queue.get(name)
        if self._player and self._player.playing == name:
            return "running" if queued and queued.wanted == "running" else "stopping"
        recorded = status.run.state if status.run else "interrupted"
        if recorded == "running":  # by a command of a person, or by what is left of a service that was killed
            return "running"
        if queued and queued.wanted == "running":
            return "queued"
        return queued.ended if queued else recorded


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        logger.critical("no further runs are played; start the service again", exc_info=task.exception())

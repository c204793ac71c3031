"""Plays what the queue holds, one run at a time, each as a process of its own that never outlives this one.

Enters: a `RunQueue` and a folder of runs. Leaves: the runs' own files, the output of each in `logs/run.log`, and in the
queue how each ended. A run that failed is not started again by itself. While a run trains, the engines that share its
devices are paused if the caller says how. Not guaranteed: that they are paused before the first worker is up; the run
is watched, and workers take seconds to load before they need memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from inverse_instruct.config.config_file import load_config
from inverse_instruct.errors import InverseInstructError, RunDirError, WaitingError
from inverse_instruct.inference.client import API_KEY, WRITER_API_KEY
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.redaction import redact
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import python_path
from inverse_instruct.system.supervisor import interrupt_supervised, start_supervised, stop_supervised

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
STOP_SECONDS = 30.0  # that a run has to end its server and trainer, before it is ended with them
REASON_BYTES = 8192

Pause = Callable[[str], Awaitable[None]]
Resume = Callable[[], Awaitable[None]]
Stages = set[tuple[int, float]]  # round, and time of the last change


class RunPlayer:
    """Plays the queue until it is cancelled."""

    def __init__(
        self,
        runs: Path,
        queue: RunQueue,
        allowed: Allowed,
        *,
        pause_engines: Pause,
        resume_engines: Resume,
        devices: Sequence[str] | None = None,
    ) -> None:
        """Describe what is to be played; nothing is started yet.

        Args:
            runs: the folder of runs.
            queue: what is wanted of them.
            allowed: what configs that were submitted may name.
            pause_engines: called with a reason when a run begins to train.
            resume_engines: called when it has trained.
            devices: GPUs of the runs; None: all that are visible.
        """
        self._devices = devices
        self._runs = runs
        self._queue = queue
        self._allowed = allowed
        self._pause_engines, self._resume_engines = pause_engines, resume_engines
        self.playing: str | None = None  # the run that has a process

    async def play(self) -> None:
        """Play run after run; cancelled, it stops the run under way so that it can go on, and keeps the queue."""
        while True:
            waiting = self._queue.waiting()
            if not waiting or RunDir(self._runs / waiting[0]).is_locked():  # by a person's own command, say
                await asyncio.sleep(LOOK_SECONDS)
            else:
                await self._play(waiting[0])

    async def _play(self, name: str) -> None:
        run_dir = RunDir(self._runs / name)
        try:
            environment = await asyncio.to_thread(self._environment, run_dir, name)
        except InverseInstructError as error:
            self._queue.end(name, "failed", str(error))
            return
        log = run_dir.logs / "run.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        left = _training(run_dir)  # by one that was killed
        with log.open("ab") as stream:
            begin = stream.tell()
            process = start_supervised(_command(run_dir), env=environment, log=stream)
        self.playing = name
        logger.info("run %s: started, its output is in %s", name, log)
        sharing = asyncio.create_task(self._share_devices(run_dir, process, left))
        try:
            while process.poll() is None and self._queue.is_wanted(name):
                await asyncio.sleep(LOOK_SECONDS)
            by_itself = process.poll() is not None
        except asyncio.CancelledError:
            sharing.cancel()
            raise
        finally:
            code = await asyncio.to_thread(_end, process)
            self.playing = None
        if by_itself:
            ended = {0: "done", WaitingError.exit_code: "waiting"}.get(code, "failed")
            reason = _failure(log, begin, code) if code else ""
            self._queue.end(name, ended, reason)
            logger.info("run %s: %s %s", name, ended, reason)
        await sharing

    def _environment(self, run_dir: RunDir, name: str) -> dict[str, str]:
        """Return the environment for a run's process; the key for endpoints only goes to those it was given for.

        Raises:
            InverseInstructError: its config was submitted, and names what it may not name now.
        """
        environment = dict(os.environ) | {"PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}
        if self._devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self._devices)
        if self._queue.is_submitted(name):
            config = load_config(run_dir.config)
            self._allowed.admit(config)
            if not self._allowed.may_have_key(config):
                for key in (API_KEY, WRITER_API_KEY):
                    environment.pop(key, None)
        return environment

    async def _share_devices(self, run_dir: RunDir, process: subprocess.Popen[bytes], left: Stages) -> None:
        """Pause the engines while the process trains; may wait for their requests, which the run does not."""
        paused = False
        while process.poll() is None:
            training = await asyncio.to_thread(_training, run_dir) - left
            if paused != bool(training):
                paused = not paused
                await self._tell_engines(paused, run_dir.path.name)
            await asyncio.sleep(LOOK_SECONDS)
        if paused:
            await self._tell_engines(False, run_dir.path.name)

    async def _tell_engines(self, paused: bool, name: str) -> None:
        try:
            await (self._pause_engines(f"run {name} trains") if paused else self._resume_engines())
        except InverseInstructError as error:  # the run goes on: at worst it fails for want of memory and says so
            logger.warning("run %s: the engines could not be %s: %s", name, "paused" if paused else "resumed", error)


def _command(run_dir: RunDir) -> list[str]:
    return [sys.executable, "-m", "inverse_instruct.cli", "run", str(run_dir.config), "--run-dir", str(run_dir.path)]


_TRAINS = {stage.name for recipe in RECIPES.values() for stage in recipe.stages if stage.all_devices}


def _training(run_dir: RunDir) -> Stages:
    """Return the training stages that are running, if the ledger is to be believed: who is killed leaves one behind."""
    if not run_dir.ledger.is_file():
        return set()
    try:
        with Ledger(run_dir.ledger) as ledger:
            return {
                (stage.round, stage.updated)
                for stage in ledger.stages()
                if stage.stage in _TRAINS and stage.state == "running"
            }
    except RunDirError:  # it is being made; a damaged one is for the run to tell
        return set()


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a run's process, gracefully if it can; return its exit code once nothing of it is left."""
    if process.poll() is None and interrupt_supervised(process):
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    return stop_supervised(process)


def _failure(log: Path, begin: int, code: int) -> str:
    """Return the last error that a run printed since a byte of its log, or what else is known."""
    with log.open("rb") as stream:
        stream.seek(max(begin, log.stat().st_size - REASON_BYTES))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    labels = tuple(f"{kind.label}: " for kind in (InverseInstructError, WaitingError))
    errors = [line.partition(": ")[2] for line in lines if line.startswith(labels)]
    return redact((errors or lines or [f"ended with exit code {code}"])[-1])

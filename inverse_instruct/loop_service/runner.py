"""Plays what the queue holds, one run at a time, each as a process of its own that never outlives this one.

Enters: a `RunQueue` and a folder of runs. Leaves: the runs' own files, the output of each in `logs/run.log`, and in the
queue how each ended. A run that failed is not started again by itself. A run that shares its devices with a gateway
is told so; its locks on them stay with its supervisor until all that it started has ended, however it ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from inverse_instruct.config.config_file import load_config
from inverse_instruct.errors import InverseInstructError, WaitingError
from inverse_instruct.inference.client import API_KEY, WRITER_API_KEY
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.redaction import redact
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import python_path
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.system.supervisor import interrupt_supervised, start_supervised, stop_supervised

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
STOP_SECONDS = 30.0  # that a run has to end its server and trainer, before it is ended with them
REASON_BYTES = 8192


class RunPlayer:
    """Plays the queue until it is cancelled."""

    def __init__(
        self,
        runs: Path,
        queue: RunQueue,
        allowed: Allowed,
        *,
        devices: Sequence[str] | None = None,
        shared: Path | None = None,
    ) -> None:
        """Describe what is to be played; nothing is started yet.

        Args:
            runs: the folder of runs.
            queue: what is wanted of them.
            allowed: what configs that were submitted may name.
            devices: GPUs of the runs; None: all that are visible.
            shared: folder of the locks by which runs and a gateway use devices in turn; None: they do not.
        """
        self._devices = devices
        self._runs = runs
        self._queue = queue
        self._allowed = allowed
        self._shared = shared
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
        with log.open("ab") as stream:
            begin = stream.tell()
            process = self._start(run_dir, environment, stream)
        self.playing = name
        logger.info("run %s: started, its output is in %s", name, log)
        try:
            while process.poll() is None and self._queue.is_wanted(name):
                await asyncio.sleep(LOOK_SECONDS)
            by_itself = process.poll() is not None
        finally:
            code = await asyncio.to_thread(_end, process)
            self.playing = None
        if by_itself:
            ended = {0: "done", WaitingError.exit_code: "waiting"}.get(code, "failed")
            reason = _failure(log, begin, code) if code else ""
            self._queue.end(name, ended, reason)
            logger.info("run %s: %s %s", name, ended, reason)

    def _start(self, run_dir: RunDir, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = _command(run_dir)
        if self._shared is None:
            return start_supervised(command, env=environment, log=log)
        shared = SharedDevices.open(self._shared)
        try:
            return start_supervised(command, env=environment | shared.variable, log=log, files=shared.files)
        finally:
            shared.close()

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


def _command(run_dir: RunDir) -> list[str]:
    return [sys.executable, "-m", "inverse_instruct.cli", "run", str(run_dir.config), "--run-dir", str(run_dir.path)]


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

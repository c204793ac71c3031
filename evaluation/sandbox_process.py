"""One running sandbox: its start, the conversation, and the end.

Enters: a JSON request for one program. Leaves: the worker's messages, undecoded.
Not guaranteed: that the worker lives on after a program; `SandboxLost` says so, and the owner starts another.
"""

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from evaluation.framing import DeadlinePassed, MessageReader, MessageTooLarge, write_message
from evaluation.interpreter import Interpreter, inspect_interpreter
from evaluation.isolation import DEVICES, isolated

_PACKAGE = Path(__file__).resolve().parent
_INSIDE_FILES = (
    *("sandbox_worker.py", "sandbox_candidate.py", "sandbox_program.py", "sandbox_tests.py", "remote.py", "link.py"),
    *("wire.py", "values.py", "framing.py", "clock.py", "confinement.py"),
)
_INSIDE_PACKAGE = "/examiner/evaluation"
_INSIDE_PACKAGES = "/packages"
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",
    # a fork keeps no thread but its own, so libraries must start none before it
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # each further arena of a thread would reserve address space, which is what memory is counted by
    "MALLOC_ARENA_MAX": "1",
}
_COMMAND_LINE = "/proc/self/cmdline"
_START_SECONDS = 300.0
"""For the worker to load what it is to preload, on a slow machine with a cold disk."""
_CLEANING_SECONDS = 10.0
"""For the worker to be ready again after a program, on a slow machine."""
_MOST_THREADS, _MANY_THREADS = 64, 256
_HEADER = struct.Struct(">cdd")
_MESSAGE_OVERHEAD_BYTES = 4096
_LARGEST_MESSAGE_BYTES = 1 << 30
_LONGEST_COMPLAINT_BYTES = 2000


class SandboxLost(Exception):
    """The sandbox ended or broke its protocol; it has been killed."""


class Message(NamedTuple):
    """One step of a program: its kind, the time it took, and a payload that is not to be trusted."""

    kind: bytes
    seconds: float
    """By the wall clock."""
    cpu_seconds: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Runtime:
    """What programs run in."""

    python: Path = Path(sys.executable)
    """The interpreter, with the packages installed for it; 3.10 or later."""
    preload: tuple[str, ...] = ()
    """Modules imported once per worker, so that every program finds them loaded."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables."""
    threads: bool = False
    """Programs may start many threads, not just some (never processes), and find the two entries under /proc that
    TensorFlow reads."""
    isolated: bool = True
    """Within bubblewrap; False leaves only the limits on time, memory and file size."""


class SandboxProcess:
    """A started sandbox. Must be used and closed by the thread that made it, which must outlive it."""

    def __init__(self, scratch_bytes: int, runtime: Runtime) -> None:
        """Start the worker with a scratch folder of `scratch_bytes` (unlimited where it is not isolated).

        Raises:
            SandboxUnavailable: bubblewrap is not installed.
            BenchmarkError: the interpreter cannot be run.
        """
        command = _isolated_command(scratch_bytes, runtime) if runtime.isolated else _plain_command(runtime)
        self._folder = None if runtime.isolated else _PlainFolder()
        self._errors = tempfile.TemporaryFile()
        self._ready = False
        self._patience = _START_SECONDS
        self.complaint = ""
        self._process = subprocess.Popen(
            command,
            cwd=self._folder.scratch if self._folder else None,
            env=self._folder.environment(runtime) if self._folder else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            process_group=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = MessageReader(self._process.stdout.fileno())

    def converse(
        self, request: bytes, steps: int, largest_bytes: int, seconds: float, tests: bytes = b""
    ) -> Iterator[Message]:
        """Send one request and yield its messages: at most `steps`, fewer where the program ended early.

        `tests` are sent when they are asked for, which is no step. The time starts when the sandbox is ready, so that
        what an earlier program left there takes none of it.

        Raises:
            SandboxLost: the sandbox died.
            DeadlinePassed: the whole program is not done after `seconds`; the sandbox has been killed.
        """
        try:
            self.await_ready()
            self._ready = False
            deadline = time.monotonic() + seconds
            write_message(self._requests, request)
            if tests:
                self._replies.read(deadline, _MESSAGE_OVERHEAD_BYTES)
                write_message(self._requests, tests)
            for _ in range(steps):
                raw = self._replies.read(deadline, largest_bytes + _MESSAGE_OVERHEAD_BYTES)
                kind, step_seconds, cpu_seconds = _HEADER.unpack_from(raw)
                message = Message(kind, step_seconds, cpu_seconds, raw[_HEADER.size :])
                yield message
                if message.kind == b"X" or (message.kind == b"L" and message.payload):
                    return
        except DeadlinePassed:
            self.close()
            raise
        except (EOFError, OSError, MessageTooLarge, struct.error) as error:
            self.close()
            raise SandboxLost(f"the sandbox ended: {error!r}") from None

    def stop(self) -> None:
        """End the program under way; its last message, an ``X``, may follow others that were on their way."""
        with contextlib.suppress(OSError):  # if it has died, the conversation says so
            write_message(self._requests, b"")

    def await_ready(self) -> None:
        """Wait for the worker's word that it is loaded, or that it is clean again after a program.

        Raises:
            SandboxLost: it does not come in time, or the sandbox died.
        """
        deadline = time.monotonic() + self._patience
        try:
            while not self._ready:  # before it may come the last words of a program that was stopped
                self._ready = self._replies.read(deadline, _LARGEST_MESSAGE_BYTES)[:1] == b"S"
        except (DeadlinePassed, EOFError, OSError, MessageTooLarge) as error:
            self.close()
            raise SandboxLost(f"the sandbox was not ready: {error!r}") from None
        self._patience = _CLEANING_SECONDS

    def kill(self) -> None:
        """Kill everything inside; any thread may do so.

        The group is killed because bubblewrap's child is tied to it only a moment after its start.
        """
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill everything inside, free the pipes and keep what was complained of; may be called twice."""
        if self._errors.closed:
            return
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._errors.seek(0)
        self.complaint = self._errors.read(_LONGEST_COMPLAINT_BYTES).decode("utf-8", "replace").strip()
        self._errors.close()
        if self._folder is not None:
            self._folder.remove()


class _PlainFolder:
    """What stands in for the sandbox's own file system where there is none."""

    def __init__(self) -> None:
        self._whole = tempfile.TemporaryDirectory(prefix="unsandboxed-")
        self.scratch = Path(self._whole.name, "scratch")
        self.scratch.mkdir()
        # the files that run inside, and no more, for the rest may need packages that the other interpreter lacks
        package = Path(self._whole.name, _PACKAGE.name)
        package.mkdir()
        for name in _INSIDE_FILES:
            shutil.copy(_PACKAGE / name, package)

    def environment(self, runtime: Runtime) -> dict[str, str]:
        own = {"PYTHONPATH": self._whole.name, "HOME": str(self.scratch), "TMPDIR": str(self.scratch)}
        return _ENVIRONMENT | own | {"PATH": os.environ.get("PATH", os.defpath)} | dict(runtime.environment)

    def remove(self) -> None:
        self._whole.cleanup()


def _isolated_command(scratch_bytes: int, runtime: Runtime) -> list[str]:
    interpreter = inspect_interpreter(runtime.python)
    # packages get places of their own inside: their folder may lie under one that is hidden there, such as /tmp
    packages = {folder: f"{_INSIDE_PACKAGES}/{number}" for number, folder in enumerate(interpreter.packages)}
    options: list[str] = []
    for name in _INSIDE_FILES:
        options += ["--ro-bind", str(_PACKAGE / name), f"{_INSIDE_PACKAGE}/{name}"]
    # for the worker to mount its scratch folder, and to give up for good what it was given for that
    options += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"]
    if runtime.threads:  # TensorFlow crashes without these; the real /proc would give away the worker's memory
        options += ["--symlink", interpreter.program, "/proc/self/exe", "--dev-bind", "/dev/null", _COMMAND_LINE]
    return isolated(
        _worker(interpreter, list(packages.values()), runtime, scratch_bytes),
        scratch_bytes=scratch_bytes,
        readable={interpreter.prefix: interpreter.prefix} | packages,
        environment=_ENVIRONMENT | {"PYTHONPATH": str(Path(_INSIDE_PACKAGE).parent)} | dict(runtime.environment),
        options=options,
    )


def _plain_command(runtime: Runtime) -> list[str]:
    interpreter = inspect_interpreter(runtime.python)
    return _worker(interpreter, interpreter.packages, runtime, 0)


def _worker(interpreter: Interpreter, packages: Sequence[str], runtime: Runtime, scratch_bytes: int) -> list[str]:
    settings = {
        "packages": packages,
        "preload": runtime.preload,
        "threads": _MANY_THREADS if runtime.threads else _MOST_THREADS,
        "scratch_bytes": scratch_bytes,
        "devices": [*DEVICES, _COMMAND_LINE] if runtime.threads else DEVICES,
        "isolated": runtime.isolated,
    }
    return [interpreter.program, "-sS", "-m", "evaluation.sandbox_worker", json.dumps(settings)]

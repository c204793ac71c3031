"""One running sandbox: its start, the conversation, and the end.

Enters: a JSON request for one program. Leaves: the worker's messages, undecoded.
Not guaranteed: that the worker lives on after a program; `SandboxLost` says so, and the owner starts another.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from evaluation.framing import DeadlinePassed, MessageReader, MessageTooLarge, write_message
from evaluation.isolation import isolated

_PACKAGE = Path(__file__).resolve().parent
_INSIDE_FILES = ("sandbox_worker.py", "confinement.py", "framing.py", "values.py")
_INSIDE_PACKAGE = "/examiner/evaluation"
_INSIDE_PACKAGES = "/packages"
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(_INSIDE_PACKAGE).parent),
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_HEADER = struct.Struct(">cd")
_MESSAGE_OVERHEAD_BYTES = 4096
_LONGEST_COMPLAINT_BYTES = 2000


class SandboxLost(Exception):
    """The sandbox ended or broke its protocol; it has been killed."""


class Message(NamedTuple):
    """One step of a program: its kind, the seconds it took, and a payload that is not to be trusted."""

    kind: bytes
    seconds: float
    payload: bytes


class SandboxProcess:
    """A started sandbox. Must be used and closed by the thread that made it, which must outlive it."""

    def __init__(self, scratch_bytes: int) -> None:
        """Start bubblewrap with a scratch folder of `scratch_bytes`.

        Raises:
            SandboxUnavailable: bubblewrap is not installed.
        """
        command = bubblewrap_command(scratch_bytes)
        self._errors = tempfile.TemporaryFile()
        self.complaint = ""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            process_group=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = MessageReader(self._process.stdout.fileno())

    def converse(self, request: bytes, steps: int, largest_bytes: int, seconds: float) -> Iterator[Message]:
        """Send one request and yield its messages: at most `steps`, fewer where the program ended early.

        Raises:
            SandboxLost: the sandbox died.
            DeadlinePassed: the whole program is not done after `seconds`; the sandbox has been killed.
        """
        deadline = time.monotonic() + seconds
        try:
            write_message(self._requests, request)
            for _ in range(steps):
                raw = self._replies.read(deadline, largest_bytes + _MESSAGE_OVERHEAD_BYTES)
                kind, step_seconds = _HEADER.unpack_from(raw)
                message = Message(kind, step_seconds, raw[_HEADER.size :])
                yield message
                if message.kind == b"X" or (message.kind == b"L" and message.payload):
                    return
        except DeadlinePassed:
            self.close()
            raise
        except (EOFError, OSError, MessageTooLarge, struct.error) as error:
            self.close()
            raise SandboxLost(f"the sandbox ended: {error!r}") from None

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


def bubblewrap_command(scratch_bytes: int) -> list[str]:
    """Return the command line of one sandbox.

    Raises:
        SandboxUnavailable: bubblewrap is not installed.
    """
    # packages get places of their own inside: their folder may lie under one that is hidden there, such as /tmp
    packages = {folder: f"{_INSIDE_PACKAGES}/{number}" for number, folder in enumerate(_package_folders())}
    options: list[str] = []
    for name in _INSIDE_FILES:
        options += ["--ro-bind", str(_PACKAGE / name), f"{_INSIDE_PACKAGE}/{name}"]
    worker = [os.path.realpath(sys.executable), "-sSP", "-m", "evaluation.sandbox_worker", *packages.values()]
    return isolated(
        worker,
        scratch_bytes=scratch_bytes,
        readable={sys.base_prefix: sys.base_prefix} | packages,
        environment=_ENVIRONMENT,
        options=options,
    )


def _package_folders() -> list[str]:
    paths = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return [path for path in dict.fromkeys(paths) if Path(path).is_dir()]

"""Work that nobody vouches for, in a child process of ours with limits on its CPU time and memory.

Enters: the name of a module whose `main` calls `answer_questions`. Leaves: bytes for bytes, or a `ProcessFailed` that
says why there is no answer. The limit is CPU time, so that a busy machine does not change what comes out; the wall
clock only ends a child that waits for something. The child is started on first use and again after it ended, and ends
when this process does. Not guaranteed: confinement; the child can read what we can.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

OUT_OF_MEMORY = 3  # exit code of the child
WALL_SECONDS = 600.0  # for one question; on a busy machine CPU time passes slowly
LAST_WORDS_BYTES = 2000
_SECONDS = struct.Struct("d")
_ROOT = str(Path(__file__).resolve().parents[1])
_PR_SET_PDEATHSIG = 1


class ProcessFailed(Exception):
    """The child ran into a limit, or crashed twice; the message says which."""


class LimitedProcess:
    """One child process, asked one question at a time."""

    def __init__(self, module: str, name: str, memory_bytes: int) -> None:
        """Describe the child; nothing is started yet.

        Args:
            module: run with `python -m`.
            name: what it is called in messages.
            memory_bytes: what it may allocate beyond what it has once its libraries are loaded.
        """
        self._module = module
        self._name = name
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()

    def ask(self, request: bytes, cpu_seconds: float) -> bytes:
        """Return the child's answer.

        Args:
            request: what `answer_questions` is told.
            cpu_seconds: how long the answer may take, over all threads.

        Raises:
            ProcessFailed: there is none.
        """
        with self._asking:
            for attempt in (1, 2):
                if self._process is None:
                    self._start()
                try:
                    self._connection.send_bytes(_SECONDS.pack(cpu_seconds) + request)
                    if not self._connection.poll(WALL_SECONDS):
                        self._end()
                        raise ProcessFailed(f"{self._name} gave no answer for {WALL_SECONDS:.0f} s")
                    return self._connection.recv_bytes()
                except (EOFError, OSError):
                    code, last_words = self._end()
                if code == -signal.SIGPROF:
                    raise ProcessFailed(f"{self._name} took more than {cpu_seconds:g} s of CPU time")
                if code == OUT_OF_MEMORY:
                    raise ProcessFailed(f"{self._name} took more than {self._memory_bytes >> 30} GiB of memory")
                if attempt == 2:  # else it may have been killed
                    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                    raise ProcessFailed(": ".join(filter(None, [f"{self._name} crashed twice ({cause})", last_words])))
        raise AssertionError("the second attempt returns or raises")

    def close(self) -> None:
        """End the child, if there is one, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()
        with theirs:
            atexit.unregister(self.close)
            atexit.register(self.close)
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(theirs.fileno()), str(self._memory_bytes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=self._stderr,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))},
            )

    def _end(self) -> tuple[int, str]:
        """End the child; return its exit code and the last line that it wrote on standard error."""
        assert self._process is not None
        self._connection.close()
        try:
            self._process.wait(2)  # it may be about to end by itself, with a code that tells why
        except subprocess.TimeoutExpired:
            self._process.kill()
        code, self._process = self._process.wait(), None
        with self._stderr as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
            lines = stream.read().decode(errors="replace").strip().splitlines()
        return code, "".join(letter for letter in lines[-1] if letter.isprintable())[:300] if lines else ""


def end_with_parent() -> None:
    """Be ended by the kernel when the parent is; first thing in the child, as what it imports may take seconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def answer_questions(answer: Callable[[bytes], bytes]) -> None:
    """Answer until the other end hangs up; the kernel ends the process that takes too long for one."""
    end_with_parent()
    limit = _address_space_bytes() + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(int(sys.argv[1]))
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)
        signal.setitimer(signal.ITIMER_PROF, *_SECONDS.unpack_from(message))
        try:
            reply = answer(message[_SECONDS.size :])
        except MemoryError:
            sys.exit(OUT_OF_MEMORY)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send_bytes(reply)


def _address_space_bytes() -> int:
    found = re.search(r"^VmSize:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) << 10 if found else 0

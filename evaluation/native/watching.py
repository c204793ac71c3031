"""Runs one command under limits that are watched from outside.

Enters: a command line, what it reads on standard input, limits. Leaves: what it wrote, how it ended, or which limit
ended it. Standard input is a socket: what the command writes back into it is kept apart from its output.

Resource limits of the kernel do not fit here (the runtimes of Java, JavaScript and Go reserve far more address space
than they use), so memory, CPU time and threads are read from /proc at short intervals, over all descendants.
Not guaranteed: that a limit holds between two looks.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.programs import Reason

_LOOK_SECONDS = 0.02
_READ_BYTES = 1 << 16
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one command may use, with all the processes it starts."""

    seconds: float
    """Of CPU time and of the wall clock: a command is ended when it has used both up."""
    patience: float
    """By the wall clock alone, it may take this many times `seconds`."""
    memory_bytes: int
    threads: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    """Exit status; negative: the signal that ended it."""
    output: bytes
    """Standard output and standard error, in the order they came."""
    answer: bytes
    """What was written into standard input."""
    seconds: float
    stopped: Reason | None = None
    """The limit that ended it, if one did."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Usage:
    cpu_seconds: float
    memory_bytes: int
    threads: int


def run_watched(
    command: Sequence[str],
    allowance: Allowance,
    *,
    sent: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    kept_open: Sequence[int] = (),
    abandoned: threading.Event,
) -> Ended:
    """Run a command to its end, to the first limit or until it is `abandoned`; all it started is dead afterwards."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            process_group=0,
            pass_fds=kept_open,
        )
        theirs.close()
        assert process.stdout is not None
        with process.stdout:
            try:
                return _Watch(process, ours, allowance, abandoned).follow(sent)
            finally:
                _kill(process)


class _Watch:
    """The reading of one running command's output and the looks at what it uses."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: socket.socket,
        allowance: Allowance,
        abandoned: threading.Event,
    ) -> None:
        self._process = process
        self._channel = channel
        self._allowance = allowance
        self._abandoned = abandoned
        self._started = time.monotonic()
        self._received = {"output": bytearray(), "answer": bytearray()}
        self._unsent = b""

    def follow(self, sent: bytes) -> Ended:
        """Talk to the command until it has ended, or a limit is passed."""
        self._unsent = sent
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            for source, name in ((self._process.stdout, "output"), (self._channel, "answer")):
                os.set_blocking(source.fileno(), False)
                selector.register(source, selectors.EVENT_READ, name)
            selector.modify(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE, "answer")
            looked = 0.0
            while self._process.poll() is None:
                self._exchange(selector, _LOOK_SECONDS)
                if time.monotonic() - looked >= _LOOK_SECONDS:
                    stopped, detail = self._passed_limit()
                    if stopped is not None:
                        return self._ended(stopped, detail)
                    looked = time.monotonic()
            self._exchange(selector, 0.0)
        if self._too_much_output():
            return self._ended("memory", "more output than the limit")
        return self._ended(None, "")

    def _exchange(self, selector: selectors.DefaultSelector, seconds: float) -> None:
        """Send and receive what can be; wait at most `seconds` for it."""
        if not selector.get_map():
            time.sleep(seconds)
            return
        for key, events in selector.select(seconds):
            if events & selectors.EVENT_WRITE:
                self._send(selector)
            if events & selectors.EVENT_READ:
                self._receive(selector, key)

    def _send(self, selector: selectors.DefaultSelector) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._unsent = self._unsent[self._channel.send(self._unsent) :] if self._unsent else b""
        if not self._unsent:
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_WR)
            selector.modify(self._channel, selectors.EVENT_READ, "answer")

    def _receive(self, selector: selectors.DefaultSelector, key: selectors.SelectorKey) -> None:
        buffer = self._received[key.data]
        try:
            while len(buffer) <= self._allowance.output_bytes:
                content = os.read(key.fd, _READ_BYTES)
                if not content:
                    selector.unregister(key.fileobj)
                    return
                buffer += content
        except BlockingIOError:
            pass
        except ConnectionError:
            selector.unregister(key.fileobj)

    def _too_much_output(self) -> bool:
        return any(len(buffer) > self._allowance.output_bytes for buffer in self._received.values())

    def _passed_limit(self) -> tuple[Reason | None, str]:
        allowance, elapsed = self._allowance, time.monotonic() - self._started
        usage = _usage(self._process.pid)
        if self._abandoned.is_set():
            return "not_run", "the evaluation was stopped"
        if self._too_much_output():
            return "memory", "more output than the limit"
        if usage.memory_bytes > allowance.memory_bytes:
            return "memory", f"more than {allowance.memory_bytes >> 20} MiB of memory"
        if usage.threads > allowance.threads:
            return "refused", f"more than {allowance.threads} threads and processes"
        if elapsed > allowance.patience * allowance.seconds:
            return "time", f"not done after {allowance.patience * allowance.seconds:g} s"
        if elapsed > allowance.seconds and usage.cpu_seconds > allowance.seconds:
            return "time", f"more than {allowance.seconds:g} s of CPU time"
        return None, ""

    def _ended(self, stopped: Reason | None, detail: str) -> Ended:
        if stopped is not None:
            _kill(self._process)
        limit = self._allowance.output_bytes
        output, answer = (bytes(self._received[name][:limit]) for name in ("output", "answer"))
        seconds = time.monotonic() - self._started
        return Ended(self._process.wait(), output, answer, seconds, stopped, detail)


def _usage(process_id: int) -> _Usage:
    """Return what a process and its descendants use; the CPU time holds that of ended children."""
    cpu_seconds, memory_bytes, threads = 0.0, 0, 0
    for number in _with_descendants(process_id):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # the name in brackets may hold anything; what follows the last bracket is numbers
            fields = Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            cpu_seconds += sum(map(int, fields[11:15])) / _TICKS_PER_SECOND
            threads += int(fields[17])
            memory_bytes += int(fields[21]) * _PAGE_BYTES
    return _Usage(cpu_seconds, memory_bytes, threads)


def _with_descendants(process_id: int) -> list[int]:
    found = [process_id]
    for number in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{number}/task"):
                found += map(int, Path(f"/proc/{number}/task/{task}/children").read_text().split())
    return found


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and all it started; in bubblewrap the rest dies with its first process."""
    if process.poll() is None:
        for number in reversed(_with_descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

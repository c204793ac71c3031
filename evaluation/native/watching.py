"""Runs commands side by side under limits that are watched from outside.

Enters: command lines, what they read on standard input, limits. Leaves: what each wrote, how it ended, or which limit
ended it. Standard input of a command that is sent something is a socket: what it writes back into that is kept apart
from its output.

Resource limits of the kernel do not fit here (the runtimes of Java, JavaScript and Go reserve far more address space
than they use), so memory, CPU time and threads are read from /proc at short intervals, over all descendants. Memory
counts what was swapped out and the tables that map it: pages of nothing but zeros cost their tables alone.
Not guaranteed: that a limit holds between two looks.
"""

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evaluation.programs import Reason

_LOOK_SECONDS = 0.02
_SETTLING_SECONDS = 1.0
"""After the first command has failed, the others may take this long to end by themselves, so that it is seen how."""
_READ_BYTES = 1 << 16
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MEMORY = re.compile(r"^(?:VmRSS|VmSwap|VmPTE):\s*(\d+) kB$", re.MULTILINE)


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
class Command:
    """One command line and its surroundings."""

    line: Sequence[str]
    allowance: Allowance
    sent: bytes | None = None
    """None: standard input is empty."""
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    handed: Sequence[int] = ()
    """Descriptors that it inherits under their numbers; they are closed here once it has started."""


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


def run_watched(commands: Sequence[Command], abandoned: threading.Event) -> list[Ended]:
    """Run commands until the first has ended, one has passed a limit or they are `abandoned`; then all are dead."""
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        watches: list[_Watch] = []
        try:
            for command in commands:
                watches.append(_Watch(command, selector))
                stack.callback(watches[-1].close)
        finally:
            for number in {number for command in commands for number in command.handed}:
                os.close(number)
        _follow(watches, selector, abandoned)
        if watches[0].failed:
            _settle(watches, selector)
        return [watch.end() for watch in watches]


def _follow(watches: Sequence["_Watch"], selector: selectors.DefaultSelector, abandoned: threading.Event) -> None:
    looked = 0.0
    while watches[0].is_running:
        _exchange(selector, _LOOK_SECONDS)
        if time.monotonic() - looked >= _LOOK_SECONDS:
            if any([watch.look(abandoned) for watch in watches]):
                return
            looked = time.monotonic()
    _exchange(selector, 0.0)


def _settle(watches: Sequence["_Watch"], selector: selectors.DefaultSelector) -> None:
    deadline = time.monotonic() + _SETTLING_SECONDS
    while time.monotonic() < deadline and any(watch.is_running for watch in watches):
        _exchange(selector, _LOOK_SECONDS)
    _exchange(selector, 0.0)


def _exchange(selector: selectors.DefaultSelector, seconds: float) -> None:
    """Send and receive what can be; wait at most `seconds` for it."""
    if not selector.get_map():
        time.sleep(seconds)
        return
    for key, events in selector.select(seconds):
        key.data(events)


class _Watch:
    """One running command: its output, and looks at what it uses."""

    def __init__(self, command: Command, selector: selectors.DefaultSelector) -> None:
        self._allowance = command.allowance
        self._selector = selector
        self._output, self._answer = bytearray(), bytearray()
        self._unsent = command.sent or b""
        self._stopped: Reason | None = None
        self._detail = ""
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command.line,
                stdin=subprocess.DEVNULL if command.sent is None else theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=command.environment,
                cwd=command.folder,
                process_group=0,
                pass_fds=command.handed,
            )
        self._started = time.monotonic()
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        for source in (self._pipe, self._channel):
            os.set_blocking(source.fileno(), False)
        selector.register(self._pipe, selectors.EVENT_READ, lambda _: self._receive(self._pipe, self._output))
        selector.register(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE, self._talk)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        return self._stopped is None and bool(self._process.poll())

    def look(self, abandoned: threading.Event) -> bool:
        """Tell whether the command is to be ended, and keep why."""
        if self.is_running:
            self._stopped, self._detail = self._passed_limit(abandoned)
        return self._stopped is not None

    def end(self) -> Ended:
        """Kill what still runs, and tell how it ended."""
        seconds = time.monotonic() - self._started
        _kill(self._process)
        limit = self._allowance.output_bytes
        if self._stopped is None and self._has_too_much_output:
            self._stopped, self._detail = "memory", "more output than the limit"
        output, answer = bytes(self._output[:limit]), bytes(self._answer[:limit])
        return Ended(self._process.wait(), output, answer, seconds, self._stopped, self._detail)

    def close(self) -> None:
        """Let nothing of it survive."""
        _kill(self._process)
        self._pipe.close()
        self._channel.close()

    def _talk(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._unsent = self._unsent[self._channel.send(self._unsent) :] if self._unsent else b""
            if not self._unsent:
                with contextlib.suppress(OSError):
                    self._channel.shutdown(socket.SHUT_WR)
                self._selector.modify(self._channel, selectors.EVENT_READ, self._talk)
        if events & selectors.EVENT_READ:
            self._receive(self._channel, self._answer)

    def _receive(self, source: IO[bytes] | socket.socket, buffer: bytearray) -> None:
        try:
            while len(buffer) <= self._allowance.output_bytes:
                content = os.read(source.fileno(), _READ_BYTES)
                if not content:
                    self._selector.unregister(source)
                    return
                buffer += content
        except BlockingIOError:
            pass
        except ConnectionError:
            self._selector.unregister(source)

    @property
    def _has_too_much_output(self) -> bool:
        return max(len(self._output), len(self._answer)) > self._allowance.output_bytes

    def _passed_limit(self, abandoned: threading.Event) -> tuple[Reason | None, str]:
        allowance, elapsed = self._allowance, time.monotonic() - self._started
        usage = _usage(self._process.pid)
        if abandoned.is_set():
            return "not_run", "the evaluation was stopped"
        if self._has_too_much_output:
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


def _usage(process_id: int) -> _Usage:
    """Return what a process and its descendants use; the CPU time holds that of ended children."""
    cpu_seconds, memory_bytes, threads = 0.0, 0, 0
    for number in _with_descendants(process_id):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # the name in brackets may hold anything; what follows the last bracket is numbers
            fields = Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            cpu_seconds += sum(map(int, fields[11:15])) / _TICKS_PER_SECOND
            threads += int(fields[17])
            memory_bytes += _memory_bytes(number)
    return _Usage(cpu_seconds, memory_bytes, threads)


def _memory_bytes(process_id: int) -> int:
    """Return the memory of a process as any of its threads shows it; where the first has ended, that one shows none."""
    for task in os.listdir(f"/proc/{process_id}/task"):
        status = Path(f"/proc/{process_id}/task/{task}/status").read_text("utf-8", "replace")
        if amounts := _MEMORY.findall(status):
            return sum(int(amount) << 10 for amount in amounts)
    return 0


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

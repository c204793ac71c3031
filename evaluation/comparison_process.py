"""Compares outputs in a process of its own, under limits: what a program wrote can be made to take hours to compare.

Enters: the encoded outputs of programs, with what is expected. Leaves: whether each is acceptable, and both in brief.
An output whose comparison takes more than its share of time or memory is not acceptable.
"""

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from evaluation.comparison import Comparison, read_output
from evaluation.framing import DeadlinePassed, MessageReader, write_message
from evaluation.oracles import ORACLES
from evaluation.values import decode, encode

_SECONDS = 10
"""Of CPU time, for all outputs of one run of a program."""
_PATIENCE = 6.0
"""By the wall clock, a comparison may take this many times as long."""
_MEMORY_BYTES = 4 << 30
_LARGEST_MESSAGE_BYTES = 1 << 30
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one run of a program is to return."""

    expected: tuple[bytes, ...]
    """Encoded, one per input."""
    inputs: Sequence[Sequence[object]]
    atol: float
    oracle: str
    """Name in `ORACLES` of the problem's own rule, or empty."""

    def compares(self) -> Comparison:
        """Return what decides."""
        return Comparison(self.expected, self.atol, ORACLES.get(self.oracle))


@dataclass(frozen=True, slots=True)
class Difference:
    """Why an output is not acceptable."""

    reason: Literal["assertion", "time", "memory"]
    detail: str


class Comparer:
    """Decides about outputs; use as a context manager, by any number of threads, each of which gets a process."""

    def __init__(self) -> None:
        """Start nothing yet: most outputs need no process."""
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._processes: list[_Process] = []

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all processes."""
        with self._lock:
            processes, self._processes = self._processes, []
        for process in processes:
            process.close()

    def difference(self, expectation: Expectation, number: int, actual: bytes) -> Difference | None:
        """Return why `actual` (encoded) is not acceptable for input `number`, or None where it is."""
        if expectation.compares().is_same_text(number, actual):
            return None
        process: _Process | None = getattr(self._mine, "process", None)
        if process is None or process.ended:
            process = self._mine.process = _Process()
            with self._lock:
                self._processes.append(process)
        return process.difference(expectation, number, actual)


class _Process:
    """One process that compares; it serves one thread."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(_SECONDS), str(_MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=Path(__file__).resolve().parents[1],
            process_group=0,  # a Ctrl-C is for the examiner, which ends this
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = MessageReader(self._process.stdout.fileno())
        self._about: Expectation | None = None
        self._conversation = threading.RLock()
        self.ended = False

    def difference(self, expectation: Expectation, number: int, actual: bytes) -> Difference | None:
        """Ask; a process that passed a limit has ended."""
        with self._conversation:
            return self._ask(expectation, number, actual)

    def _ask(self, expectation: Expectation, number: int, actual: bytes) -> Difference | None:
        try:
            if self._about is not expectation:
                self._send(
                    expected=[text.decode("ascii") for text in expectation.expected],
                    atol=expectation.atol,
                    oracle=expectation.oracle,
                )
                self._about = expectation
            arguments = encode(list(expectation.inputs[number]))
            self._send(number=number, arguments=arguments, actual=actual.decode("ascii", "replace"))
            reply = json.loads(self._replies.read(time.monotonic() + _PATIENCE * _SECONDS, _LARGEST_MESSAGE_BYTES))
        except (DeadlinePassed, EOFError, OSError) as error:
            status = self.close()
            if isinstance(error, DeadlinePassed) or status == -signal.SIGXCPU:
                return Difference("time", f"comparing the outputs took more than {_SECONDS} s")
            return Difference("memory", "comparing the outputs took too much memory")
        if reply["accepted"]:
            return None
        return Difference("assertion", f"expected {reply['wanted']}, got {reply['got']}")

    def _send(self, **request: Any) -> None:
        write_message(self._requests, json.dumps(request).encode("ascii"))

    def close(self) -> int:
        """End the process; return its status. May be called twice, and by any thread.

        The pipes are freed when nobody reads from them any more, or he would read from what gets their numbers next.
        """
        self.ended = True
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                self._process.kill()
        status = self._process.wait()
        with self._conversation:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        return status


def main(seconds: int, memory_bytes: int) -> None:
    """Serve requests until standard input ends, with so much CPU time for each run of a program."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests = MessageReader(0)
    expectation = Expectation((), (), 0.0, "")
    with contextlib.suppress(EOFError):
        while True:
            request = json.loads(requests.read(None, _LARGEST_MESSAGE_BYTES))
            if "expected" in request:
                expected = tuple(text.encode("ascii") for text in request["expected"])
                expectation = Expectation(expected, (), request["atol"], request["oracle"])
                _limit_cpu_time(seconds)
            else:
                write_message(1, json.dumps(_compare(expectation, **request)).encode("ascii"))


def _compare(expectation: Expectation, number: int, arguments: str, actual: str) -> dict[str, Any]:
    encoded = actual.encode("ascii", "replace")
    if expectation.compares().accepts(number, decode(arguments), encoded):
        return {"accepted": True}
    wanted, got = (_brief(read_output(text)) for text in (expectation.expected[number], encoded))
    return {"accepted": False, "wanted": wanted, "got": got}


def _limit_cpu_time(seconds: int) -> None:
    """Let the kernel end this process when it has used up the time of one run."""
    _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, hardest))


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a very long number"
    except RecursionError:
        return "a deeply nested value"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


if __name__ == "__main__":
    os.environ.clear()  # what is compared has no business with the examiner's
    main(*map(int, sys.argv[1:]))

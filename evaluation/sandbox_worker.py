"""The process inside the sandbox: forks once per generated program and passes on what the fork reports.

Enters: on standard input, one JSON request per program (see `programs.py`, which writes it). Argument: the settings
that `sandbox_process.py` writes, also JSON.
Leaves: on standard output, messages whose first byte is a kind, then the seconds the step took (a double), then a
payload. First one ``S`` when all is loaded. Of a program with inputs: one ``L`` for loading it and one ``R`` per input;
or ``X`` where it ended early, which is the last message of that program. Of a script: ``P`` where it reached its end,
else ``F``. ``L``, ``R`` and ``F`` payloads come from the fork and are to be believed no more than the program itself;
the kind, the order and the time are this process's own.

Not guaranteed: that a payload is well formed, or that what the program left in this process's memory by being
sent here is hidden from the next one. Expected outputs are never sent here.
"""

import importlib
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from evaluation.confinement import limit_resources, refuse_system_calls
from evaluation.framing import DeadlinePassed, MessageReader, MessageTooLarge, pack_message, write_all, write_message
from evaluation.sandbox_candidate import TOKEN_MARK, failure, run_function, run_script

_REQUEST_DESCRIPTOR, _REPLY_DESCRIPTOR = 0, 1
_LARGEST_REQUEST_BYTES = 1 << 30
_STOP_CHECK_SECONDS = 0.05
_CPU_CLOCK_OF_PROCESS = 2
"""Linux: the clock of a process's CPU time is its complemented id above these three bits."""
_HEADER = struct.Struct(">cd")
_SEARCH_BYTES = 1 << 20


def main() -> None:
    """Load what every program is to find loaded, then serve requests until standard input ends."""
    started = time.monotonic()
    settings = json.loads(sys.argv[1])
    sys.path.extend(settings["packages"])
    for name in settings["preload"]:
        importlib.import_module(name)
    loaded_bytes = _address_space_bytes() if settings["preload"] else 0
    scratch = Path.cwd()
    requests = MessageReader(_REQUEST_DESCRIPTOR)
    _reply(b"S", time.monotonic() - started, b"")
    while True:
        try:
            content = requests.read(None, _LARGEST_REQUEST_BYTES)
        except EOFError:
            return
        if not content:
            continue  # a stop that came after the end of its program
        request = json.loads(content)
        request["memory_bytes"] += loaded_bytes
        request |= {"threads": settings["threads"], "isolated": settings["isolated"]}
        if "tests" in request:
            _run_script(request)
        else:
            _run_program(request, requests)
        _empty(scratch)


def _run_program(request: dict[str, Any], requests: MessageReader) -> None:
    child, reading = _fork(request, run_function)
    ending, seconds = _relay(MessageReader(reading), child, request, requests)
    status, _ = _end(child, reading)
    if ending is not None:
        _reply(b"X", seconds, failure(*_describe_end(ending, status)))


def _run_script(request: dict[str, Any]) -> None:
    child, reading = _fork(request, run_script)
    reader = MessageReader(reading)
    limit = _Limit(child, request["total_seconds"], request["patience"])
    ending: Exception | None = None
    try:
        first = _await_report(reader, [limit], request["output_bytes"])  # written before the script began
        announced = first[:1] == TOKEN_MARK
        last = _await_report(reader, [limit], request["output_bytes"]) if announced else first
    except (DeadlinePassed, EOFError, MessageTooLarge) as error:
        ending = error
    status, seconds = _end(child, reading)
    if ending is not None:
        _reply(b"F", seconds, failure(*_describe_end(ending, status)))
    elif announced and last == first:
        _reply(b"P", seconds, b"")
    else:
        _reply(b"F", seconds, last)


def _fork(request: dict[str, Any], run: Callable[[dict[str, Any], int], None]) -> tuple[int, int]:
    """Start the program in a process of its own; return its id and the pipe it reports over."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)  # or it could read what it is not to know: the token that was announced
        _become_candidate(request, writing, run)
    os.close(writing)
    return child, reading


def _end(child: int, pipe: int) -> tuple[int, float]:
    """Kill the fork; return its status and its CPU seconds."""
    os.close(pipe)
    # A process that is already exiting keeps its own status; one that only closed its pipe dies here.
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return status, usage.ru_utime + usage.ru_stime


def _relay(
    reader: MessageReader, child: int, request: dict[str, Any], requests: MessageReader
) -> tuple[Exception | None, float]:
    """Pass on the fork's reports; return what ended them early, if anything, and how long that step took.

    Reports that have arrived already are passed on together: a program may have a thousand short inputs.
    """
    total = _Limit(child, request["total_seconds"], request["patience"])
    replies = bytearray()
    for step, seconds in enumerate([request["load_seconds"], *request["limits"]]):
        started = time.monotonic()
        if step == 1:
            total = _Limit(child, request["total_seconds"], request["patience"])
        try:
            if not reader.has_message():
                _flush(replies)
                limit = _Limit(child, seconds, request["patience"])
                limits = [limit, total] if step else [limit]
                payload = _await_report(reader, limits, request["output_bytes"], requests)
            else:
                payload = reader.read(None, request["output_bytes"])
        except (DeadlinePassed, EOFError, MessageTooLarge, _Stopped) as error:
            _flush(replies)
            return error, time.monotonic() - started
        replies += pack_message(_HEADER.pack(b"R" if step else b"L", time.monotonic() - started) + payload)
        if step == 0 and payload:
            break
    _flush(replies)
    return None, 0.0


def _flush(replies: bytearray) -> None:
    write_all(_REPLY_DESCRIPTOR, replies)
    replies.clear()


class _Limit:
    """A time limit of the fork: on its CPU time, and, `patience` times as long, on the wall clock."""

    def __init__(self, child: int, seconds: float, patience: float) -> None:
        self._child = child
        self._started = time.monotonic()
        self._cpu_end = _cpu_seconds(child) + seconds
        self._wall_end = self._started + patience * seconds

    def left(self) -> float:
        """Return for how many seconds the fork may run on at least, if it gets a CPU to itself."""
        return min(self._cpu_end - _cpu_seconds(self._child), self._wall_end - time.monotonic())


class _Stopped(Exception):
    """Whoever asked for the program wants no more of it."""


def _await_report(
    reader: MessageReader, limits: list[_Limit], largest_bytes: int, requests: MessageReader | None = None
) -> bytes:
    """Return the next report; raises `_Stopped` if something arrives in `requests` first."""
    while True:
        left = min(limit.left() for limit in limits)
        if requests and requests.has_input():
            raise _Stopped
        try:
            return reader.read(time.monotonic() + min(left, _STOP_CHECK_SECONDS), largest_bytes)
        except DeadlinePassed:
            if left <= 0:
                raise


def _cpu_seconds(process_id: int) -> float:
    try:
        return time.clock_gettime((~process_id << 3) | _CPU_CLOCK_OF_PROCESS)
    except OSError:
        return 0.0  # it has ended, and the pipe will say so


def _reply(kind: bytes, seconds: float, payload: bytes) -> None:
    write_message(_REPLY_DESCRIPTOR, _HEADER.pack(kind, seconds) + payload)


def _describe_end(ending: Exception, status: int) -> tuple[str, str]:
    if isinstance(ending, _Stopped):
        return "not_run", "no longer wanted"
    if isinstance(ending, DeadlinePassed):
        return "time", "over the time limit"
    if isinstance(ending, MessageTooLarge):
        return "memory", f"an output of {ending} bytes is over the limit"
    if not os.WIFSIGNALED(status):
        return "exited", f"the process ended itself with status {os.waitstatus_to_exitcode(status)}"
    ended_by = os.WTERMSIG(status)
    name = signal.Signals(ended_by).name
    reasons: dict[int, str] = {signal.SIGXCPU: "time", signal.SIGSYS: "refused", signal.SIGXFSZ: "refused"}
    return reasons.get(ended_by, "exited"), f"ended by {name}, or its result pipe was closed"


def _become_candidate(request: dict[str, Any], pipe: int, run: Callable[[dict[str, Any], int], None]) -> NoReturn:
    """Run the program in this fork; nothing but its reports leaves, over `pipe`."""
    leave = os._exit
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        cpu_seconds = int(request["load_seconds"] + request["total_seconds"]) + 2
        try:
            limit_resources(request["memory_bytes"], request["file_bytes"], cpu_seconds, threads=request["threads"])
            if request["isolated"]:
                refuse_system_calls(threads=request["threads"])
        except OSError as error:
            write_message(pipe, failure("refused", f"the program was not run, for it cannot be confined: {error}"))
            leave(1)
        run(request, pipe)
        leave(0)
    except BaseException:
        leave(1)
    raise SystemExit(1)


def _address_space_bytes() -> int:
    """Return how much address space this process takes: the least limit under which it still gets a page.

    The kernel tells it under /proc alone, which is not there.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    too_small, enough = 0, 1 << 46
    while enough - too_small > _SEARCH_BYTES:
        middle = (too_small + enough) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, before[1]))
        try:
            mmap.mmap(-1, mmap.PAGESIZE).close()
            enough = middle
        except OSError:
            too_small = middle
    resource.setrlimit(resource.RLIMIT_AS, before)
    return enough


def _empty(folder: Path) -> None:
    """Remove what a program left behind; a failure ends this worker, and the next one starts clean."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            entry.chmod(0o700)
            _empty(entry)
            entry.rmdir()
        else:
            entry.unlink()


if __name__ == "__main__":
    main()

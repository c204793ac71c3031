"""The process inside the sandbox: forks for each request, and again for its program, whose reports are passed on.

Enters: on standard input, one JSON request per program (see `programs.py`, which writes it). Argument: the settings
that `sandbox_process.py` writes, also JSON.
Leaves: on standard output, messages whose first byte is a kind, then the seconds the step took by the wall clock and of
CPU time (two doubles), then a payload. One ``S`` whenever all is loaded and clean, and a request may come. Of a program
with inputs: one ``L`` for loading it and one ``R`` per input; or ``X`` where it ended early, which is the last message
of that program. Of a script: ``N`` when its tests may be sent, ``P`` where they reached their end, else ``F``. ``L``,
``R`` and ``F`` payloads come from the fork and are to be believed no more than the program itself; the kind, the order
and the times are this process's own.

The tests of a script are read by the fork that runs them, and by no process that a program is forked from, so that no
program finds them in its memory; nor does it find other programs, their inputs and what they returned, for a request
is read by a fork that serves no other. Expected outputs are never sent here.

Not guaranteed: that a payload is well formed.
"""

import _thread
import importlib
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from evaluation.clock import cpu_seconds
from evaluation.confinement import limit_resources, mount_scratch, refuse_system_calls
from evaluation.framing import DeadlinePassed, MessageReader, MessageTooLarge, pack_message, write_all, write_message
from evaluation.link import GONE, open_pipes
from evaluation.sandbox_candidate import failure, run_function
from evaluation.sandbox_program import serve_program
from evaluation.sandbox_tests import GONE_MARK, TOKEN_MARK, run_tests

_REQUEST_DESCRIPTOR, _REPLY_DESCRIPTOR = 0, 1
_LARGEST_REQUEST_BYTES = 1 << 30
_STOP_CHECK_SECONDS = 0.05
_HEADER = struct.Struct(">cdd")
_SEARCH_BYTES = 1 << 20
_THREAD_STACK_BYTES = 8 << 20
"""Of threads that ask for no other size: the stack of a process, which is what they would get, is far larger."""
_LARGEST_DESCRIPTOR = 1 << 10
_CLEANING_SECONDS = 1.0


def main() -> None:
    """Load what every program is to find loaded, then have requests served until standard input ends."""
    settings = json.loads(sys.argv[1])
    if settings["isolated"]:
        mount_scratch(settings["scratch_bytes"], settings["devices"])
    sys.path.extend(settings["packages"])
    for name in settings["preload"]:
        importlib.import_module(name)
    loaded_bytes = _address_space_bytes() if settings["preload"] else 0
    while True:
        server = os.fork()
        if server == 0:
            _serve(settings, loaded_bytes)
            os._exit(0)
        _, status = os.waitpid(server, 0)
        if status:
            return


def _serve(settings: dict[str, Any], loaded_bytes: int) -> None:
    """Serve one request, in a fork of its own: what it reads there, no later program finds in its memory."""
    scratch = Path.cwd()
    requests = MessageReader(_REQUEST_DESCRIPTOR)
    _reply(b"S", (0.0, 0.0), b"")
    content = b""
    while not content:  # an empty one is a stop that came after the end of its program
        try:
            content = requests.read(None, _LARGEST_REQUEST_BYTES)
        except EOFError:
            os._exit(1)
    request = json.loads(content)
    request["memory_bytes"] += loaded_bytes
    request |= {"threads": settings["threads"], "isolated": settings["isolated"]}
    if "entry_point" in request:
        _run_program(request, requests)
    else:
        _run_script(request)
    scratch.chmod(0o700)
    _empty(scratch, time.monotonic() + _CLEANING_SECONDS)


def _run_program(request: dict[str, Any], requests: MessageReader) -> None:
    reading, writing = os.pipe()
    child = _fork(request, lambda: run_function(request, writing), writing)
    os.close(writing)
    ending, seconds = _relay(MessageReader(reading), child, request, requests)
    os.close(reading)
    status, _ = _end(child)
    if ending is not None:
        _reply(b"X", seconds, failure(*_describe_end(ending, status)))


def _run_script(request: dict[str, Any]) -> None:
    """Run a program in one fork, its tests in another; a script without a program has its tests alone."""
    started = time.monotonic()
    reading, writing = os.pipe()
    programs, own = open_pipes()
    program = _fork(request, lambda: serve_program(request, programs), *programs) if request["code"] else None
    # what the tests are sent over and asked for by, under other numbers, since the standard ones lead nowhere there
    asked, sent = os.dup(_REPLY_DESCRIPTOR), os.dup(_REQUEST_DESCRIPTOR)
    tests = _fork(
        request,
        lambda: run_tests(request | _read_tests(asked, sent), writing, own if program else None, program),
        *(writing, asked, sent, *own),
    )
    for descriptor in (*programs, *own, writing, asked, sent):
        os.close(descriptor)
    forks = [fork for fork in (tests, program) if fork]
    report = _await_script(MessageReader(reading), forks, request)
    os.close(reading)
    ends = {fork: _end(fork) for fork in forks}
    seconds = time.monotonic() - started, sum(cpu_seconds for _, cpu_seconds in ends.values())
    if isinstance(report, bytes):
        if report[:1] == GONE_MARK and program:
            ended = json.loads(report[1:])
            report = failure(*(_describe_end(EOFError(), ends[program][0]) if ended[1] == GONE else ended))
        _reply(b"F" if report else b"P", seconds, report)
    else:
        _reply(b"F", seconds, failure(*_describe_end(report, ends[tests][0])))


def _read_tests(asked: int, sent: int) -> dict[str, Any]:
    """Ask for the tests, in the fork that runs them, and read them."""
    write_message(asked, _HEADER.pack(b"N", 0.0, 0.0))
    content = MessageReader(sent).read(None, _LARGEST_REQUEST_BYTES)
    os.close(asked)
    os.close(sent)
    return json.loads(content)  # type: ignore[no-any-return]


def _await_script(reader: MessageReader, forks: list[int], request: dict[str, Any]) -> bytes | Exception:
    """Return what the tests report: nothing where all passed, else a failure, or what ended the waiting."""
    limit = _Limit(forks, request["total_seconds"], request["patience"])
    try:
        first = _await_report(reader, [limit], request["output_bytes"])  # written before the tests began
        announced = first[:1] == TOKEN_MARK
        last = _await_report(reader, [limit], request["output_bytes"]) if announced else first
    except (DeadlinePassed, EOFError, MessageTooLarge) as error:
        return error
    return b"" if announced and last == first else last


def _fork(request: dict[str, Any], run: Callable[[], None], *kept: int) -> int:
    """Start something confined in a process of its own; it keeps the descriptors `kept` and no other."""
    child = os.fork()
    if child == 0:
        _become_candidate(request, run, kept)
    return child


def _end(child: int) -> tuple[int, float]:
    """Kill a fork; return its status and its CPU seconds."""
    # A process that is already exiting keeps its own status; one that only closed its pipe dies here.
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return status, usage.ru_utime + usage.ru_stime


def _relay(
    reader: MessageReader, child: int, request: dict[str, Any], requests: MessageReader
) -> tuple[Exception | None, tuple[float, float]]:
    """Pass on the fork's reports; return what ended them early, if anything, and how long that step took.

    Reports that have arrived already are passed on together: a program may have a thousand short inputs.
    """
    total = _Limit([child], request["total_seconds"], request["patience"])
    replies = bytearray()
    for step, seconds in enumerate([request["load_seconds"], *request["limits"]]):
        started = time.monotonic(), cpu_seconds(child)
        if step == 1:
            total = _Limit([child], request["total_seconds"], request["patience"])
        try:
            if not reader.has_message():
                _flush(replies)
                limit = _Limit([child], seconds, request["patience"])
                limits = [limit, total] if step else [limit]
                payload = _await_report(reader, limits, request["output_bytes"], requests)
            else:
                payload = reader.read(None, request["output_bytes"])
        except (DeadlinePassed, EOFError, MessageTooLarge, _Stopped) as error:
            _flush(replies)
            return error, _since(started, child)
        replies += pack_message(_HEADER.pack(b"R" if step else b"L", *_since(started, child)) + payload)
        if step == 0 and payload:
            break
    _flush(replies)
    return None, (0.0, 0.0)


def _flush(replies: bytearray) -> None:
    write_all(_REPLY_DESCRIPTOR, replies)
    replies.clear()


class _Limit:
    """A time limit of forks: on their CPU time together, and, `patience` times as long, on the wall clock."""

    def __init__(self, forks: Iterable[int], seconds: float, patience: float) -> None:
        self._forks = forks
        self._cpu_end = self._used() + seconds
        self._wall_end = time.monotonic() + patience * seconds

    def left(self) -> float:
        """Return for how many seconds the forks may run on at least, if they get a CPU to themselves."""
        return min(self._cpu_end - self._used(), self._wall_end - time.monotonic())

    def _used(self) -> float:
        return sum(map(cpu_seconds, self._forks))


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


def _since(started: tuple[float, float], child: int) -> tuple[float, float]:
    """Return the seconds since then, by the wall clock and of the fork's CPU time."""
    return time.monotonic() - started[0], cpu_seconds(child) - started[1]


def _reply(kind: bytes, seconds: tuple[float, float], payload: bytes) -> None:
    write_message(_REPLY_DESCRIPTOR, _HEADER.pack(kind, *seconds) + payload)


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


def _become_candidate(request: dict[str, Any], run: Callable[[], None], kept: tuple[int, ...]) -> NoReturn:
    """Run something in this fork; nothing enters or leaves it but over the descriptors that it keeps."""
    leave = os._exit
    try:
        _keep_only(kept)
        cpu_seconds = int(request["load_seconds"] + request["total_seconds"]) + 2
        try:
            limit_resources(request["memory_bytes"], request["file_bytes"], cpu_seconds, request["threads"])
            if request["isolated"]:
                refuse_system_calls()
        except OSError as error:
            write_message(kept[0], failure("refused", f"the program was not run, for it cannot be confined: {error}"))
            leave(1)
        _thread.stack_size(_THREAD_STACK_BYTES)
        run()
        leave(0)
    except BaseException:
        leave(1)
    raise SystemExit(1)


def _keep_only(kept: tuple[int, ...]) -> None:
    """Put nothing in the place of the standard descriptors, and close all others but those that are kept."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    first = 3
    for descriptor in (*sorted(kept), _LARGEST_DESCRIPTOR):
        os.closerange(first, descriptor)
        first = descriptor + 1


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


def _empty(folder: Path, deadline: float) -> None:
    """Remove what a program left behind; a failure ends this worker, and the next one starts clean."""
    for entry in folder.iterdir():
        if time.monotonic() > deadline:
            raise TimeoutError("the scratch folder is not clean at once")
        if entry.is_dir() and not entry.is_symlink():
            entry.chmod(0o700)
            _empty(entry, deadline)
            entry.rmdir()
        else:
            entry.unlink()


if __name__ == "__main__":
    main()

"""The process inside the sandbox: forks once per generated program and passes on what the fork reports.

Enters: on standard input, one JSON request per program (see `programs.py`, which writes it). Arguments: the
folders of installed packages that programs may import.
Leaves: on standard output, messages whose first byte is a kind, then the seconds the step took (a double), then
a payload: one ``L`` for loading the program and one ``R`` per input; or ``X`` where the program ended early, which
is the last message of that program. ``L`` and ``R`` payloads come from the fork and are to be believed no more
than the program itself; the kind, the order and the time are this process's own.

Not guaranteed: that a payload is well formed, or that what the program left in this process's memory by being
sent here is hidden from the next one. Expected outputs are never sent here.
"""

import json
import os
import signal
import struct
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from evaluation.confinement import confine
from evaluation.framing import DeadlinePassed, MessageReader, MessageTooLarge, write_message
from evaluation.values import decode, encode

_REQUEST_DESCRIPTOR, _REPLY_DESCRIPTOR = 0, 1
_LARGEST_REQUEST_BYTES = 1 << 30
_MODULE_NAME = "candidate"
_DETAIL_CHARACTERS = 300
_CPU_CLOCK_OF_PROCESS = 2
"""Linux: the clock of a process's CPU time is its complemented id above these three bits."""
_HEADER = struct.Struct(">cd")


def main() -> None:
    """Serve requests until standard input ends."""
    sys.path.extend(sys.argv[1:])
    sys.set_int_max_str_digits(0)
    scratch = Path.cwd()
    requests = MessageReader(_REQUEST_DESCRIPTOR)
    while True:
        try:
            request = json.loads(requests.read(None, _LARGEST_REQUEST_BYTES))
        except EOFError:
            return
        _run_program(request)
        _empty(scratch)


def _run_program(request: dict[str, Any]) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _become_candidate(request, writing)
    os.close(writing)
    ending, seconds = _relay(MessageReader(reading), child, request)
    os.close(reading)
    # A process that is already exiting keeps its own status; one that only closed its pipe dies here.
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if ending is not None:
        _reply(b"X", seconds, _failure(*_describe_end(ending, status)))


def _relay(reader: MessageReader, child: int, request: dict[str, Any]) -> tuple[Exception | None, float]:
    """Pass on the fork's reports; return what ended them early, if anything, and how long that step took."""
    total = _Limit(child, request["total_seconds"], request["patience"])
    for step, seconds in enumerate([request["load_seconds"], *request["limits"]]):
        limit = _Limit(child, seconds, request["patience"])
        if step == 1:
            total = _Limit(child, request["total_seconds"], request["patience"])
        try:
            payload = _await_report(reader, [limit, total] if step else [limit], request["output_bytes"])
        except (DeadlinePassed, EOFError, MessageTooLarge) as error:
            return error, limit.elapsed()
        _reply(b"R" if step else b"L", limit.elapsed(), payload)
        if step == 0 and payload:
            break
    return None, 0.0


class _Limit:
    """A time limit of the fork: on its CPU time, and, `patience` times as long, on the wall clock."""

    def __init__(self, child: int, seconds: float, patience: float) -> None:
        self._child = child
        self._started = time.monotonic()
        self._cpu_end = _cpu_seconds(child) + seconds
        self._wall_end = self._started + patience * seconds

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def left(self) -> float:
        """Return for how many seconds the fork may run on at least, if it gets a CPU to itself."""
        return min(self._cpu_end - _cpu_seconds(self._child), self._wall_end - time.monotonic())


def _await_report(reader: MessageReader, limits: list[_Limit], largest_bytes: int) -> bytes:
    while True:
        left = min(limit.left() for limit in limits)
        try:
            return reader.read(time.monotonic() + left, largest_bytes)
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


def _become_candidate(request: dict[str, Any], pipe: int) -> NoReturn:
    """Run the program in this fork; nothing but its reports leaves, over `pipe`."""
    leave = os._exit
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        cpu_seconds = int(request["load_seconds"] + request["total_seconds"]) + 2
        try:
            confine(request["memory_bytes"], request["file_bytes"], cpu_seconds)
        except OSError as error:
            write_message(pipe, _failure("refused", f"the program was not run, for it cannot be confined: {error}"))
            leave(1)
        _run_candidate(request, lambda payload: write_message(pipe, payload))
        leave(0)
    except BaseException:
        leave(1)
    raise SystemExit(1)


def _run_candidate(request: dict[str, Any], report: Callable[[bytes], None]) -> None:
    try:
        function = _load(request["code"], request["entry_point"])
    except _CannotLoad as error:
        report(_failure(*error.args))
        return
    except BaseException as error:
        report(_failure(*_classify(error)))
        return
    report(b"")
    for arguments in request["inputs"]:
        report(_call(function, arguments))


class _CannotLoad(Exception):
    """The program defines no callable entry point; holds the reason and the detail."""


def _load(code: str, entry_point: str) -> Callable[..., object]:
    try:
        compiled = compile(code, f"<{_MODULE_NAME}>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _CannotLoad("syntax", _classify(error)[1]) from None
    module = types.ModuleType(_MODULE_NAME)
    sys.modules[_MODULE_NAME] = module
    exec(compiled, module.__dict__)  # the only place that runs generated code, in a confined process
    function = module.__dict__.get(entry_point)
    if not callable(function):
        raise _CannotLoad("missing", f"no function named {entry_point}")
    return function  # type: ignore[no-any-return]


def _call(function: Callable[..., object], arguments: str) -> bytes:
    try:
        return b"V" + encode(function(*decode(arguments))).encode("ascii")
    except BaseException as error:
        return _failure(*_classify(error))


def _classify(error: BaseException) -> tuple[str, str]:
    detail = type(error).__name__
    try:
        detail = f"{detail}: {error}"[:_DETAIL_CHARACTERS]
    except BaseException:
        detail = f"{detail} (its text could not be read)"
    if isinstance(error, SystemExit):
        return "exited", detail
    if isinstance(error, MemoryError):
        return "memory", detail
    if isinstance(error, OSError) and not isinstance(error, (FileNotFoundError, TimeoutError)):
        return "refused", detail
    return "exception", detail


def _failure(reason: str, detail: str) -> bytes:
    return b"E" + json.dumps([reason, detail]).encode("ascii")


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

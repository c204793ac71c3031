"""Runs generated programs where they can do no harm, and reports what they returned.

Enters: programs (source text, entry point, inputs). Leaves: per input, the value returned or the reason there is
none. No verdict is formed inside: expected outputs never enter the sandbox, the comparison happens outside, so the
only way to pass is to return the right values. Exit codes and printed text count for nothing.

What is stopped: network, reading anything but the system's libraries, the interpreter and installed packages,
writing anywhere but a small scratch folder emptied after every program, the caller's environment, starting
processes, threads or programs, signalling or tracing other processes, memory, file size, CPU and wall-clock time
beyond the limits, output beyond the limits, survival of the caller.

What is not stopped: attacks on the kernel itself; reading the world-readable part of /usr; learning from this
process's memory what earlier programs run by the same worker were sent or had returned (`Sandbox.renew` ends that:
call it after running trusted reference solutions); timing noise from other work on the machine, which can turn a
slow program into one over its time. Everything runs as one single-threaded process per program, so a program
that needs threads or subprocesses fails.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from types import TracebackType
from typing import Literal, Self, get_args

from evaluation.comparison import read_output
from evaluation.errors import SandboxUnavailable
from evaluation.framing import DeadlinePassed
from evaluation.sandbox_process import Message, SandboxLost, SandboxProcess
from evaluation.values import encode

Reason = Literal["assertion", "exception", "time", "memory", "syntax", "missing", "refused", "exited", "not_run"]
"""Why there is no right answer. `assertion` is given by the comparison (see `pass_at_k`), the rest by the run."""

_REASONS: frozenset[str] = frozenset(get_args(Reason))
_TOTAL_SECONDS = 60.0
_USER_NAMESPACE_REMEDY = (
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
    "kernel.apparmor_restrict_unprivileged_userns=0), or inside a container start it with "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
)


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one program may use."""

    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 24
    """Size of one file."""
    scratch_bytes: int = 1 << 25
    """Size of the scratch folder, shared by all files."""
    output_bytes: int = 1 << 24
    """Encoded size of the value returned for one input."""
    total_output_bytes: int = 1 << 28
    """The same, summed over the inputs."""
    load_seconds: float = 5.0
    """Wall-clock time for the program's top level."""
    grace_seconds: float = 5.0
    """Added to the time of a whole program before the sandbox itself is killed."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program and the argument lists to call its entry point with."""

    code: str
    entry_point: str
    inputs: Sequence[Sequence[object]]
    seconds: Sequence[float]
    """Wall-clock limit per input, as many as there are inputs."""
    total_seconds: float = _TOTAL_SECONDS
    """Wall-clock limit over all inputs, where the sum of `seconds` is not smaller."""

    def __post_init__(self) -> None:
        """Refuse a program whose run would prove nothing."""
        if not self.inputs or len(self.inputs) != len(self.seconds):
            raise ValueError(
                f"{len(self.inputs)} inputs and {len(self.seconds)} time limits: need one each, at least one"
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one input: `reason` is None where the entry point returned something."""

    encoded: bytes
    """What was returned, as `values.encode` writes it, but in the hand of the program: perhaps nonsense."""
    reason: Reason | None
    detail: str
    seconds: float

    @property
    def value(self) -> object:
        """The value returned (None where there is none), decoded anew at every access."""
        return read_output(self.encoded) if self.reason is None else None


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """One outcome per input of the program, in order."""

    outcomes: tuple[Outcome, ...]

    @property
    def seconds(self) -> float:
        """Wall-clock seconds over all inputs that were run."""
        return sum(outcome.seconds for outcome in self.outcomes)


class Sandbox:
    """A pool of isolated workers; use as a context manager, from one thread."""

    def __init__(self, workers: int = 2, limits: ResourceLimits | None = None) -> None:
        """Prepare `workers` parallel sandboxes; none is started before `with`."""
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._workers = workers
        self._limits = limits or ResourceLimits()
        self._pool: ThreadPoolExecutor | None = None
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._processes: list[SandboxProcess] = []

    def __enter__(self) -> Self:
        """Start, and prove that a program runs confined.

        Raises:
            SandboxUnavailable: it does not; the message names the remedy.
        """
        # A sandbox dies with the thread that started it, so each thread keeps its own for as long as it lives.
        self._pool = ThreadPoolExecutor(self._workers, "sandbox")
        try:
            self._pool.submit(self._prove).result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything still running."""
        self.close()

    def close(self) -> None:
        """Kill all workers and drop the programs still waiting."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            self.renew()
            pool.shutdown()

    def renew(self) -> None:
        """Replace every worker by a fresh one, so later programs find nothing of the earlier in memory.

        Call it between runs; a program in progress is run again or, when closing, given up.
        """
        with self._lock:
            processes, self._processes = self._processes, []
        for process in processes:
            process.close()
        self._mine = threading.local()

    def run(self, programs: Iterable[Program]) -> Iterator[ProgramResult]:
        """Yield the result of each program, in the order given, as soon as it and all before it are done.

        Raises:
            SandboxUnavailable: a sandbox could not be started again.
            RuntimeError: used outside `with`.
        """
        if self._pool is None:
            raise RuntimeError("the sandbox is closed: use it inside 'with'")
        return self._pool.map(self._run_one, programs)

    def _run_one(self, program: Program) -> ProgramResult:
        request = _request(program, self._limits)
        for final in (False, True):
            try:
                return ProgramResult(tuple(self._outcomes(program, request)))
            except SandboxLost as error:
                self._discard()
                if self._pool is None or final:
                    return ProgramResult(_unfinished(program, [], "exited", str(error)))
        raise AssertionError("unreachable")

    def _outcomes(self, program: Program, request: bytes) -> list[Outcome]:
        """Collect what the worker tells; raises `SandboxLost`."""
        outcomes: list[Outcome] = []
        budget = self._limits.total_output_bytes
        allowed = self._limits.load_seconds + _total_seconds(program) + self._limits.grace_seconds
        steps = 1 + len(program.inputs)
        try:
            for message in self._process().converse(request, steps, self._limits.output_bytes, allowed):
                budget -= len(message.payload)
                if budget < 0:
                    self._discard()
                    return list(_unfinished(program, outcomes, "memory", "the outputs together are over the limit"))
                if message.kind == b"X":
                    failure = _outcome(message)
                    return list(_unfinished(program, outcomes, failure.reason, failure.detail, failure.seconds))
                if message.kind == b"R":
                    outcomes.append(_outcome(message))
                elif message.payload:
                    return list(repeat(_outcome(message), len(program.inputs)))
        except DeadlinePassed:
            self._discard()
            return list(_unfinished(program, outcomes, "time", "the sandbox was killed at the hard limit"))
        return outcomes

    def _process(self) -> SandboxProcess:
        process: SandboxProcess | None = getattr(self._mine, "process", None)
        if process is None:
            process = self._mine.process = SandboxProcess(self._limits.scratch_bytes)
            with self._lock:
                self._processes.append(process)
        return process

    def _discard(self) -> None:
        process: SandboxProcess | None = getattr(self._mine, "process", None)
        if process is None:
            return
        process.close()
        self._mine.process = None
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)

    def _prove(self) -> None:
        probe = Program("def probe(number):\n    return number + 1\n", "probe", [[41]], [10.0])
        process = self._process()
        try:
            [outcome] = self._outcomes(probe, _request(probe, self._limits))
        except SandboxLost:
            complaint = process.complaint.partition("\n")[0] or "it ended without a word"
            raise SandboxUnavailable(
                f"bubblewrap cannot isolate code on this machine ({complaint}): {_USER_NAMESPACE_REMEDY}"
            ) from None
        if outcome.value != 42:
            raise SandboxUnavailable(f"the sandbox does not run programs here: {outcome.detail}")


def run_program(
    sandbox: Sandbox, code: str, entry_point: str, inputs: Sequence[Sequence[object]], seconds: float = 4.0
) -> tuple[Outcome, ...]:
    """Return what `code` gives for each of `inputs`, with `seconds` of wall-clock time for each."""
    [result] = sandbox.run([Program(code, entry_point, inputs, [seconds] * len(inputs))])
    return result.outcomes


def _total_seconds(program: Program) -> float:
    return min(program.total_seconds, sum(program.seconds))


def _request(program: Program, limits: ResourceLimits) -> bytes:
    request = {
        "code": program.code,
        "entry_point": program.entry_point,
        "inputs": [encode(list(arguments)) for arguments in program.inputs],
        "limits": list(program.seconds),
        "total_seconds": _total_seconds(program),
        "load_seconds": limits.load_seconds,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "output_bytes": limits.output_bytes,
    }
    return json.dumps(request).encode("ascii")


def _outcome(message: Message) -> Outcome:
    """Read a payload that the program may have forged: whatever it says is at most a value to be compared."""
    tag, content = message.payload[:1], message.payload[1:]
    if tag == b"V":
        return Outcome(content, None, "", message.seconds)
    try:
        reason, detail = json.loads(content)
        if reason in _REASONS:
            return Outcome(b"", reason, str(detail), message.seconds)
    except (ValueError, TypeError, RecursionError):
        pass
    return Outcome(b"", "exited", "the program wrote nonsense into its result pipe", message.seconds)


def _unfinished(
    program: Program, done: Sequence[Outcome], reason: Reason | None, detail: str, seconds: float = 0.0
) -> tuple[Outcome, ...]:
    """Add the outcome that ended the program, and `not_run` for every input after it."""
    not_run = Outcome(b"", "not_run", f"ended before this input: {detail}", 0.0)
    rest = len(program.inputs) - len(done) - 1
    return (*done, Outcome(b"", reason, detail, seconds), *repeat(not_run, rest))

"""What a run of generated code is made of: the program, its limits, and what came of each input.

Enters and leaves: plain records, and their form on the way into and out of the sandbox.
Not guaranteed: that what comes out is well formed; an output stays encoded until someone compares or shows it.
"""

import builtins
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, get_args

from evaluation.comparison import read_output
from evaluation.given import given_by
from evaluation.sandbox_process import Message
from evaluation.values import encode

Reason = Literal["assertion", "exception", "time", "memory", "syntax", "missing", "refused", "exited", "not_run"]
"""Why there is no right answer. `assertion` is given by the comparison (see `pass_at_k`), the rest by the run."""

_REASONS: frozenset[str] = frozenset(get_args(Reason))
_TOTAL_SECONDS = 60.0


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
    """Time for the program's top level."""
    patience: float = 4.0
    """Limits count CPU time, so that a busy machine fails no honest program; by the wall clock, which also catches
    sleepers, a program may take this many times its limit."""
    grace_seconds: float = 5.0
    """Added to the time of a whole program before the sandbox itself is killed."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program and the argument lists to call its entry point with."""

    code: str
    entry_point: str
    inputs: Sequence[Sequence[object]]
    seconds: Sequence[float]
    """Limit per input, as many as there are inputs; see `ResourceLimits.patience` for the clock."""
    total_seconds: float = _TOTAL_SECONDS
    """Limit over all inputs, where the sum of `seconds` is not smaller."""

    def __post_init__(self) -> None:
        """Refuse a program whose run would prove nothing."""
        if not self.inputs or len(self.inputs) != len(self.seconds):
            raise ValueError(
                f"{len(self.inputs)} inputs and {len(self.seconds)} time limits: need one each, at least one"
            )


@dataclass(frozen=True, slots=True)
class Script:
    """One program with tests that raise where it is wrong."""

    code: str
    tests: str
    """What runs once `code` has run, in a process of its own, where the names that it does not know are those of the
    program. Where `code` is empty, it runs what it judges itself."""
    seconds: float
    """Limit over both; see `ResourceLimits.patience` for the clock."""
    reference: str | None = None
    """Right code: what it imports, the tests find imported; its names may shadow built-in ones, and objects of its
    classes are compared by the program's own operators. Where `code` runs over its limit, this is timed here and now
    with the same tests, and `code` is run again if four times that is more."""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """`reason` is None only where the last statement of the tests was reached and no exception left them."""

    reason: Reason | None
    detail: str
    seconds: float
    """Of CPU time, the only one that a busy machine does not stretch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one input: `reason` is None where the entry point returned something."""

    encoded: bytes
    """What was returned, as `values.encode` writes it, but in the hand of the program: perhaps nonsense."""
    reason: Reason | None
    detail: str
    seconds: float
    """By the wall clock."""
    cpu_seconds: float = 0.0

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


def total_seconds(program: Program) -> float:
    """Return the limit over all inputs."""
    return min(program.total_seconds, sum(program.seconds))


def write_request(program: Program, limits: ResourceLimits) -> bytes:
    """Return what `sandbox_worker` is sent: JSON, the inputs encoded one by one so each call gets its own copy."""
    request = {
        "code": program.code,
        "entry_point": program.entry_point,
        "inputs": [encode(list(arguments)) for arguments in program.inputs],
        "limits": list(program.seconds),
        "total_seconds": total_seconds(program),
        "load_seconds": limits.load_seconds,
        "patience": limits.patience,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "output_bytes": limits.output_bytes,
    }
    return json.dumps(request).encode("ascii")


def write_script(script: Script, limits: ResourceLimits) -> tuple[bytes, bytes]:
    """Return what `sandbox_worker` is sent to run a script: what concerns the program, and the tests."""
    program = {
        "code": script.code,
        "load_seconds": 0.0,
        "total_seconds": script.seconds,
        "patience": limits.patience,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "output_bytes": limits.output_bytes,
    }
    given = given_by(script.reference or "", script.tests)
    tests = {
        "tests": script.tests,
        "imports": given.imports,
        "classes": sorted(given.classes),
        "shadowing": sorted(given.names & set(dir(builtins))),
    }
    return json.dumps(program).encode("ascii"), json.dumps(tests).encode("ascii")


def read_script_result(message: Message) -> ScriptResult:
    """Read the worker's verdict, and the reason of a failure, which the program may have made up."""
    if message.kind == b"P":
        return ScriptResult(None, "", message.cpu_seconds)
    outcome = read_outcome(message)
    return ScriptResult(outcome.reason or "exited", outcome.detail or "forged a report", message.cpu_seconds)


def read_outcome(message: Message) -> Outcome:
    """Read a payload that the program may have forged: whatever it says is at most a value to be compared."""
    tag, content = message.payload[:1], message.payload[1:]
    if tag == b"V":
        return Outcome(content, None, "", message.seconds, message.cpu_seconds)
    try:
        reason, detail = json.loads(content)
        if reason in _REASONS:
            return Outcome(b"", reason, str(detail), message.seconds, message.cpu_seconds)
    except (ValueError, TypeError, RecursionError):
        pass
    return Outcome(b"", "exited", "the program wrote nonsense into its result pipe", message.seconds)


def unfinished(
    program: Program, done: Sequence[Outcome], reason: Reason | None, detail: str, seconds: float = 0.0
) -> tuple[Outcome, ...]:
    """Add the outcome that ended the program, and `not_run` for every input after it."""
    not_run = Outcome(b"", "not_run", f"ended before this input: {detail}", 0.0)
    rest = len(program.inputs) - len(done) - 1
    return (*done, Outcome(b"", reason, detail, seconds), *repeat(not_run, rest))

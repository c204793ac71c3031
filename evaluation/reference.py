"""Expected outputs: what the canonical solutions return, computed in the sandbox and kept.

Enters: problems. Leaves: per task the expected value of each input and the time a candidate gets for it.

Times are CPU time, as limits are, so that other work on the machine lengthens neither. What takes long enough to matter
is timed again where the machine was not quiet, and the least counts. What is kept says on which processor and how often
it was timed, and whether that was in quiet; times of another processor are not believed, and times that were never
taken in quiet are taken once more when they are used.

Not guaranteed: that the values are right beyond the canonical solution being so, or that a busy machine, whose caches
and clock rates are shared, does not stretch CPU time, too.
"""

import hashlib
import json
import os
import platform
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.problems import Problem
from evaluation.programs import Program, ProgramResult

_FORMAT = "4"
"""Part of the name of a kept reference: changes when what is kept, or the encoding of values, does."""
_REFERENCE_SECONDS_PER_INPUT = 60.0
_REFERENCE_SECONDS = 600.0
_SHORTEST_LIMIT_SECONDS = 1.0
_SLOWDOWN_ALLOWED = 4.0
_MOST_TIMINGS = 3
_QUIET = 1.2
"""On a quiet machine, the wall clock shows at most this many times the CPU time."""
_QUIET_SECONDS = 0.2
"""By which the wall clock may be off in any case."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one run returned, and how long each input took, in the order of the inputs."""

    encoded: tuple[bytes, ...]
    """As `values.encode` writes them."""
    seconds: tuple[float, ...]
    """Of CPU time."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs to be met, for each of `Problem.parts`."""

    parts: tuple[Outputs, ...]
    timings: int = 1
    """How often it was timed; the least time of each input counts."""
    quiet: bool = True
    """Whether one of them was taken while the machine did nothing else."""

    @property
    def decides(self) -> bool:
        """Whether a limit depends on a time here: all are long enough for anything that takes less."""
        longest = max((seconds for part in self.parts for seconds in part.seconds), default=0.0)
        return _SLOWDOWN_ALLOWED * longest > _SHORTEST_LIMIT_SECONDS

    @property
    def seconds(self) -> float:
        """Seconds over all inputs."""
        return sum(sum(part.seconds) for part in self.parts)

    def programs(self, problem: Problem, code: str) -> list[Program]:
        """Return the runs of `code` to compare with this: per input four times the seconds here, at least one."""
        return [
            Program(
                code,
                problem.entry_point,
                inputs,
                [max(_SHORTEST_LIMIT_SECONDS, _SLOWDOWN_ALLOWED * seconds) for seconds in outputs.seconds],
            )
            for inputs, outputs in zip(problem.parts, self.parts, strict=True)
        ]


def reference_of(results: Sequence[ProgramResult]) -> Reference | None:
    """Return the outputs of a problem's runs as a reference, or None where an input has no output."""
    if any(outcome.reason is not None for result in results for outcome in result.outcomes):
        return None
    parts = tuple(
        Outputs(
            tuple(outcome.encoded for outcome in result.outcomes),
            tuple(outcome.cpu_seconds for outcome in result.outcomes),
        )
        for result in results
    )
    elapsed = sum(result.seconds for result in results)
    reference = Reference(parts)
    return replace(reference, quiet=elapsed <= _QUIET * reference.seconds + _QUIET_SECONDS)


class References:
    """The references of one suite: computed when first asked for, kept in memory and, if named, in a folder."""

    def __init__(self, sandbox: Sandbox, folder: Path | None = None) -> None:
        """Run canonical solutions in `sandbox`; keep their outputs in `folder`, a small file per problem.

        The sandbox should not be that of the candidates, which could find the outputs in its memory.
        """
        self._sandbox = sandbox
        self._folder = folder
        self._known: dict[str, Reference] = {}
        self._timed_again: set[str] = set()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def known(self, problem: Problem) -> Reference | None:
        """Return a problem's reference if it was computed before."""
        if problem.task_id not in self._known and (kept := self._load(problem)):
            self._known[problem.task_id] = kept
        return self._known.get(problem.task_id)

    def of(self, problem: Problem) -> Reference:
        """Return a problem's reference; to be called by threads that live as long as the sandbox is open.

        Raises:
            BenchmarkError: the canonical solution has no output for an input.
        """
        with self._locks[problem.task_id]:
            reference = self.known(problem)
            if reference is None:
                reference = self._timed(problem, self._run_canonical(problem), _MOST_TIMINGS)
            elif reference.decides and not reference.quiet and problem.task_id not in self._timed_again:
                reference = self._timed(problem, reference, reference.timings + 1)
            else:
                return reference
            self._timed_again.add(problem.task_id)
            self._known[problem.task_id] = reference
            self._keep(problem, reference)
        return reference

    def _timed(self, problem: Problem, reference: Reference, most: int) -> Reference:
        """Return a reference whose times were taken in quiet, or are the least of `most`."""
        while reference.decides and not reference.quiet and reference.timings < most:
            reference = _least(reference, self._run_canonical(problem))
        return reference

    def _run_canonical(self, problem: Problem) -> Reference:
        code = problem.prompt + problem.canonical_solution
        results = []
        for inputs in problem.parts:
            limits = [_REFERENCE_SECONDS_PER_INPUT] * len(inputs)
            results.append(
                self._sandbox.run_one(Program(code, problem.entry_point, inputs, limits, _REFERENCE_SECONDS))
            )
        reference = reference_of(results)
        if reference is None:
            failed = next(o for result in results for o in result.outcomes if o.reason is not None)
            raise BenchmarkError(f"{problem.task_id}: its canonical solution fails: {failed.reason}: {failed.detail}")
        return reference

    def _load(self, problem: Problem) -> Reference | None:
        if self._folder is None:
            return None
        try:
            kept = json.loads((self._folder / _file_name(problem)).read_text(encoding="ascii"))
            return Reference(tuple(map(_outputs, kept["parts"])), int(kept["timings"]), bool(kept["quiet"]))
        except (OSError, ValueError, TypeError, AttributeError, LookupError):
            return None  # missing or damaged: computed anew

    def _keep(self, problem: Problem, reference: Reference) -> None:
        if self._folder is None:
            return
        name = _file_name(problem)
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = [[[text.decode("ascii") for text in part.encoded], part.seconds] for part in reference.parts]
        kept = {"clock": "cpu", "timings": reference.timings, "quiet": reference.quiet, "processor": _processor()}
        temporary = self._folder / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(kept | {"parts": parts}), encoding="ascii")
        temporary.replace(self._folder / name)


def _outputs(part: Any) -> Outputs:
    encoded, seconds = part
    return Outputs(tuple(text.encode("ascii") for text in encoded), tuple(seconds))


def _least(one: Reference, other: Reference) -> Reference:
    """Return one reference timed twice."""
    parts = tuple(
        replace(first, seconds=tuple(map(min, first.seconds, second.seconds)))
        for first, second in zip(one.parts, other.parts, strict=True)
    )
    return Reference(parts, one.timings + other.timings, one.quiet or other.quiet)


@cache
def _processor() -> str:
    """Return the name of the processor, as far as it is told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part")))
    return next(names, platform.machine())


def _file_name(problem: Problem) -> str:
    content = repr((_FORMAT, sys.version_info[:2], _processor(), problem))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"

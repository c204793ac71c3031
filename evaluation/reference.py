"""Expected outputs: what the canonical solutions return, computed in the sandbox and kept.

Enters: problems. Leaves: per task the expected value of each input and the time a candidate gets for it.
Not guaranteed: that the values are right beyond the canonical solution being so. Times depend on the machine; they are
measured once and kept with the outputs, so a folder of references belongs to one machine.
"""

import hashlib
import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.problems import Problem
from evaluation.programs import Program, ProgramResult

_FORMAT = "3"
"""Part of the name of a kept reference: changes when what is kept, or the encoding of values, does."""
_REFERENCE_SECONDS_PER_INPUT = 60.0
_REFERENCE_SECONDS = 600.0
_SHORTEST_LIMIT_SECONDS = 1.0
_SLOWDOWN_ALLOWED = 4.0


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one run returned, and how long each input took, in the order of the inputs."""

    encoded: tuple[bytes, ...]
    """As `values.encode` writes them."""
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs to be met, for each of `Problem.parts`."""

    parts: tuple[Outputs, ...]

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
    return Reference(
        tuple(
            Outputs(
                tuple(outcome.encoded for outcome in result.outcomes),
                tuple(outcome.seconds for outcome in result.outcomes),
            )
            for result in results
        )
    )


class References:
    """The references of one suite: computed when first asked for, kept in memory and, if named, in a folder."""

    def __init__(self, sandbox: Sandbox, folder: Path | None = None) -> None:
        """Run canonical solutions in `sandbox`; keep their outputs in `folder`, a small file per problem.

        The sandbox should not be that of the candidates, which could find the outputs in its memory.
        """
        self._sandbox = sandbox
        self._folder = folder
        self._known: dict[str, Reference] = {}
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
                reference = self._known[problem.task_id] = self._run_canonical(problem)
                self._keep(problem, reference)
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
            parts = json.loads((self._folder / _file_name(problem)).read_text(encoding="ascii"))
            return Reference(tuple(map(_outputs, parts)))
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # missing or damaged: computed anew

    def _keep(self, problem: Problem, reference: Reference) -> None:
        if self._folder is None:
            return
        name = _file_name(problem)
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = [[[text.decode("ascii") for text in part.encoded], part.seconds] for part in reference.parts]
        temporary = self._folder / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(parts), encoding="ascii")
        temporary.replace(self._folder / name)


def _outputs(part: Any) -> Outputs:
    encoded, seconds = part
    return Outputs(tuple(text.encode("ascii") for text in encoded), tuple(seconds))


def _file_name(problem: Problem) -> str:
    content = repr((_FORMAT, sys.version_info[:2], problem))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"

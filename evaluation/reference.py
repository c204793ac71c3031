"""Expected outputs: what the canonical solutions return, computed in the sandbox and kept.

Enters: problems. Leaves: per task the expected value of each input and the time a candidate gets for it.
Not guaranteed: that the values are right beyond the canonical solution being so. Times depend on the machine; they are
measured once and kept with the outputs, so a folder of references belongs to one machine.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
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


def _by_problem(problems: Iterable[Problem], results: Iterator[ProgramResult]) -> Iterator[list[ProgramResult]]:
    """Yield the results of each problem's runs, one list per problem."""
    for problem in problems:
        yield [next(results) for _ in problem.parts]


class References:
    """The references of problems: computed when first asked for, kept in memory and, if named, in a folder."""

    def __init__(self, sandbox: Sandbox, folder: Path | None = None) -> None:
        """Run canonical solutions in `sandbox`; keep their outputs in `folder`, a small file per problem."""
        self._sandbox = sandbox
        self._folder = folder
        self._known: dict[str, Reference] = {}

    def of(self, problems: Sequence[Problem]) -> dict[str, Reference]:
        """Return the references by task id.

        The sandbox is renewed after running canonical solutions, so that candidates cannot find the outputs in its
        memory.

        Raises:
            BenchmarkError: a canonical solution has no output for an input.
        """
        names = {problem.task_id: _name(problem) for problem in problems}
        for name in names.values():
            if name not in self._known and (kept := self._load(name)):
                self._known[name] = kept
        missing = [problem for problem in problems if names[problem.task_id] not in self._known]
        if missing:
            for problem, reference in self._run_canonical(missing):
                self._known[names[problem.task_id]] = reference
                self._keep(names[problem.task_id], reference)
            self._sandbox.renew()
        return {task: self._known[name] for task, name in names.items()}

    def _run_canonical(self, problems: Sequence[Problem]) -> Iterator[tuple[Problem, Reference]]:
        runs = (
            Program(
                problem.prompt + problem.canonical_solution,
                problem.entry_point,
                inputs,
                [_REFERENCE_SECONDS_PER_INPUT] * len(inputs),
                _REFERENCE_SECONDS,
            )
            for problem in problems
            for inputs in problem.parts
        )
        results = self._sandbox.run(runs)
        for problem, outcomes in zip(problems, _by_problem(problems, results), strict=True):
            reference = reference_of(outcomes)
            if reference is None:
                failed = next(o for result in outcomes for o in result.outcomes if o.reason is not None)
                raise BenchmarkError(
                    f"{problem.task_id}: its canonical solution fails: {failed.reason}: {failed.detail}"
                )
            yield problem, reference

    def _load(self, name: str) -> Reference | None:
        if self._folder is None:
            return None
        try:
            parts = json.loads((self._folder / name).read_text(encoding="ascii"))
            return Reference(tuple(map(_outputs, parts)))
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # missing or damaged: computed anew

    def _keep(self, name: str, reference: Reference) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = [[[text.decode("ascii") for text in part.encoded], part.seconds] for part in reference.parts]
        temporary = self._folder / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(parts), encoding="ascii")
        temporary.replace(self._folder / name)


def _outputs(part: Any) -> Outputs:
    encoded, seconds = part
    return Outputs(tuple(text.encode("ascii") for text in encoded), tuple(seconds))


def _name(problem: Problem) -> str:
    parts = (_FORMAT, sys.version_info[:2], sorted(asdict(problem).items()))
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"

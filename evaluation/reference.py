"""Expected outputs: what the canonical solutions return, computed in the sandbox, kept in memory.

Enters: problems. Leaves: per task the expected value of each input and the time a candidate gets for it.
Not guaranteed: that the values are right beyond the canonical solution being so. Times depend on the machine;
they are measured once per process and benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.problems import Problem, benchmark_digest
from evaluation.programs import Program, ProgramResult

_REFERENCE_SECONDS_PER_INPUT = 60.0
_REFERENCE_SECONDS = 600.0
_SHORTEST_LIMIT_SECONDS = 1.0
_SLOWDOWN_ALLOWED = 4.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs to be met, and how long they took, in the order of `Problem.inputs`."""

    outputs: tuple[bytes, ...]
    """Encoded, see `values`."""
    seconds: tuple[float, ...]

    def program(self, problem: Problem, code: str) -> Program:
        """Return the run of `code` to compare with this: per input four times the seconds here, at least one."""
        limits = [max(_SHORTEST_LIMIT_SECONDS, _SLOWDOWN_ALLOWED * seconds) for seconds in self.seconds]
        return Program(code, problem.entry_point, problem.inputs, limits)


def reference_of(result: ProgramResult) -> Reference | None:
    """Return a run's outputs as a reference, or None where an input has no output."""
    if any(outcome.reason is not None for outcome in result.outcomes):
        return None
    return Reference(
        tuple(outcome.encoded for outcome in result.outcomes), tuple(outcome.seconds for outcome in result.outcomes)
    )


_computed: dict[str, dict[str, Reference]] = {}


def compute_references(problems: Sequence[Problem], sandbox: Sandbox) -> dict[str, Reference]:
    """Return the expected outputs by task id; a benchmark seen before in this process is not run again.

    The sandbox is renewed afterwards, so that candidates cannot find the outputs in its memory.

    Raises:
        BenchmarkError: a canonical solution has no output for an input.
    """
    digest = benchmark_digest(problems)
    if digest not in _computed:
        _computed[digest] = _run_canonical(problems, sandbox)
        sandbox.renew()
    return _computed[digest]


def _run_canonical(problems: Sequence[Problem], sandbox: Sandbox) -> dict[str, Reference]:
    programs = [
        Program(
            problem.prompt + problem.canonical_solution,
            problem.entry_point,
            problem.inputs,
            [_REFERENCE_SECONDS_PER_INPUT] * len(problem.inputs),
            _REFERENCE_SECONDS,
        )
        for problem in problems
    ]
    references: dict[str, Reference] = {}
    for problem, result in zip(problems, sandbox.run(programs), strict=True):
        reference = reference_of(result)
        if reference is None:
            failed = next(outcome for outcome in result.outcomes if outcome.reason is not None)
            raise BenchmarkError(f"{problem.task_id}: its canonical solution fails: {failed.reason}: {failed.detail}")
        references[problem.task_id] = reference
    return references

"""Verdicts on generated functions by comparing outputs (EvalPlus semantics).

Enters: problems and samples. Leaves: one `Verdict` per sample, in the order of completion.
Base and plus inputs are run apart, in a fresh process each, as EvalPlus does. "Plus" means that all base and plus
inputs pass, as in published tables. Not guaranteed: that a passing solution is right beyond the benchmark's inputs.
"""

from collections.abc import Iterator, Mapping, Sequence

from evaluation.comparison_process import Comparer, Expectation
from evaluation.errors import BenchmarkError
from evaluation.execution import RunProgram, Sandbox
from evaluation.problems import Problem
from evaluation.programs import Outcome, Program, ProgramResult, Reason
from evaluation.reference import Reference, References
from evaluation.suite import Sample, Verdict


def judge_samples(
    problems: Mapping[str, Problem], samples: Sequence[Sample], references: References, sandbox: Sandbox
) -> Iterator[Verdict]:
    """Yield the verdict on every sample.

    Raises:
        BenchmarkError: a sample is of an unknown problem, or a canonical solution fails.
    """
    check_task_ids(problems, samples)
    with Comparer() as comparer:

        def judge_sample(sample: Sample, run: RunProgram) -> Verdict:
            problem = problems[sample.task_id]
            return judge(problem, sample, references.of(problem), run, comparer)

        yield from sandbox.each(_in_good_order(problems, samples, references), judge_sample)


def _in_good_order(problems: Mapping[str, Problem], samples: Sequence[Sample], references: References) -> list[Sample]:
    """Put the longest first, so that at the end no worker is left alone with one.

    Before them come the first samples of problems whose reference is not known, so that no worker waits for another's.
    """
    seconds = {
        task: reference.seconds
        for task in dict.fromkeys(sample.task_id for sample in samples)
        if (reference := references.known(problems[task]))
    }
    first = {sample.task_id: sample for sample in reversed(samples) if sample.task_id not in seconds}
    unknown = list(reversed(first.values()))
    rest = [sample for sample in samples if first.get(sample.task_id) is not sample]
    return unknown + sorted(rest, key=lambda sample: -seconds.get(sample.task_id, 0.0))


def check_task_ids(known: Mapping[str, object], samples: Sequence[Sample]) -> None:
    """Raise `BenchmarkError` if a sample is of no known task."""
    unknown = sorted({sample.task_id for sample in samples} - known.keys())
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise BenchmarkError(
            f"the samples do not fit the suite: it has no task {', '.join(unknown[:3])}{more}; its tasks are "
            f"{', '.join(list(known)[:3])} and so on"
        )


def judge(problem: Problem, sample: Sample, reference: Reference, run: RunProgram, comparer: Comparer) -> Verdict:
    """Run one sample up to the first output that is not right; plus inputs are run where all base inputs pass."""
    seconds, offset = 0.0, 0
    for part, program in enumerate(reference.programs(problem, sample.solution)):
        expected = Expectation(reference.parts[part].encoded, program.inputs, problem.atol, problem.oracle)
        failure, took = run_checked(program, expected, run, comparer, offset)
        seconds += took
        if failure is not None:
            return Verdict(problem.task_id, sample.index, part > 0, False, *failure, seconds)
        offset += len(program.inputs)
    return Verdict(problem.task_id, sample.index, True, True, None, "", seconds)


def run_checked(
    program: Program, expected: Expectation, run: RunProgram, comparer: Comparer, offset: int = 0
) -> tuple[tuple[Reason, str] | None, float]:
    """Run a program up to the first output that is not right; return why it fails, if it does, and how long it took.

    Args:
        program: what is run.
        expected: of its outputs.
        run: runs it in the sandbox.
        comparer: decides about outputs, outside.
        offset: what the number of the first input is in messages.
    """
    check = _Check(expected, offset, comparer)
    result = run(program, check)
    return check.failure or _unfinished(result, offset), result.seconds


class _Check:
    """Accepts right outputs, and keeps what was wrong with the first other one."""

    def __init__(self, expectation: Expectation, offset: int, comparer: Comparer) -> None:
        self.failure: tuple[Reason, str] | None = None
        self._expectation = expectation
        self._offset = offset
        self._comparer = comparer

    def __call__(self, number: int, outcome: Outcome) -> bool:
        if outcome.reason is not None:
            self.failure = outcome.reason, f"input {self._offset + number}: {outcome.detail}"
        elif difference := self._comparer.difference(self._expectation, number, outcome.encoded):
            self.failure = difference.reason, f"input {self._offset + number}: {difference.detail}"
        return self.failure is None


def _unfinished(result: ProgramResult, offset: int) -> tuple[Reason, str] | None:
    """Return why a program ended before an output could be looked at, if it did."""
    ends = (
        (outcome.reason, f"input {offset + number}: {outcome.detail}")
        for number, outcome in enumerate(result.outcomes)
        if outcome.reason is not None
    )
    return next(ends, None)

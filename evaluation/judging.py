"""Verdicts on generated functions by comparing outputs (EvalPlus semantics).

Enters: problems and samples. Leaves: one `Verdict` per sample, in order.
Base and plus inputs are run apart, in a fresh process each, as EvalPlus does. "Plus" means that all base and plus
inputs pass, as in published tables. Not guaranteed: that a passing solution is right beyond the benchmark's inputs.
"""

from collections.abc import Iterator, Mapping, Sequence

from evaluation.comparison import Comparison, read_output
from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.oracles import ORACLES
from evaluation.problems import Arguments, Problem
from evaluation.programs import Outcome, ProgramResult, Reason
from evaluation.reference import Outputs, Reference, References, by_problem
from evaluation.suite import Sample, Verdict

_SHOWN_CHARACTERS = 80


def judge_samples(
    problems: Mapping[str, Problem], samples: Sequence[Sample], references: References, sandbox: Sandbox
) -> Iterator[Verdict]:
    """Yield the verdict on every sample.

    Raises:
        BenchmarkError: a sample is of an unknown problem, or a canonical solution fails.
    """
    check_task_ids(problems, samples)
    tried = [problems[sample.task_id] for sample in samples]
    expected = references.of(list({problem.task_id: problem for problem in tried}.values()))
    results = sandbox.run(
        program
        for problem, sample in zip(tried, samples, strict=True)
        for program in expected[problem.task_id].programs(problem, sample.solution)
    )
    for problem, sample, runs in zip(tried, samples, by_problem(tried, results), strict=True):
        yield judge(problem, sample.index, expected[problem.task_id], runs)


def check_task_ids(known: Mapping[str, object], samples: Sequence[Sample]) -> None:
    """Raise `BenchmarkError` if a sample is of no known task."""
    unknown = sorted({sample.task_id for sample in samples} - known.keys())
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise BenchmarkError(
            f"the samples do not fit the suite: it has no task {', '.join(unknown[:3])}{more}; its tasks are "
            f"{', '.join(list(known)[:3])} and so on"
        )


def judge(problem: Problem, sample: int, reference: Reference, runs: Sequence[ProgramResult]) -> Verdict:
    """Compare the runs of one sample with the expected outputs; pure."""
    first: list[tuple[Reason, str] | None] = []
    offset = 0
    for inputs, expected, run in zip(problem.parts, reference.parts, runs, strict=True):
        first.append(_first_failure(problem, inputs, expected, run.outcomes, offset))
        offset += len(inputs)
    failure = next((found for found in first if found is not None), None)
    reason, detail = failure if failure is not None else (None, "")
    seconds = sum(run.seconds for run in runs)
    return Verdict(problem.task_id, sample, first[0] is None, failure is None, reason, detail, seconds)


def _first_failure(
    problem: Problem, inputs: Sequence[Arguments], expected: Outputs, outcomes: Sequence[Outcome], offset: int
) -> tuple[Reason, str] | None:
    comparison = Comparison(expected.encoded, problem.atol, ORACLES.get(problem.oracle))
    for number, outcome in enumerate(outcomes):
        if outcome.reason is not None:
            return outcome.reason, f"input {offset + number}: {outcome.detail}"
        if not comparison.accepts(number, inputs[number], outcome.encoded):
            wanted = _brief(read_output(expected.encoded[number]))
            return "assertion", f"input {offset + number}: expected {wanted}, got {_brief(outcome.value)}"
    return None


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a very long number"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."

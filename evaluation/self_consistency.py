"""Self-consistency of a model: does it solve again what it says of its own code (InverseCoder, equation 2)?

For each problem x the model writes y = M(x), describes it as x', and writes y' = M(x'). The two agree when y' returns
what y returned on the benchmark's inputs. The generating is the caller's business; here enter y and y' as code.
Leaves: one row per problem, and rates with intervals over them.

A problem on which y itself has no output for some input is removed and counted, as in the paper, since there is
nothing to agree with. Not guaranteed: that y solves the problem at all; an agreement may be about a wrong answer.
An output of a type that cannot be compared (an iterator, say) agrees with nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.execution import Sandbox
from evaluation.judging import check_task_ids, judge
from evaluation.problems import Problem
from evaluation.programs import Program, Reason
from evaluation.reference import Reference, by_problem, reference_of
from evaluation.statistics import Estimate, wilson_estimate
from evaluation.suite import Sample

_SECONDS_PER_INPUT = 4.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether y' agrees with y on one problem."""

    task_id: str
    removed: Reason | None
    """Why y has no output for some input; None: the problem counts."""
    base: bool | None
    """Agreement on the base inputs; None: the problem was removed."""
    plus: bool | None
    """Agreement on base and plus inputs together."""
    reason: Reason | None
    """Why y' does not agree."""
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Agreement over the problems that were kept."""

    base: Estimate | None
    """None: every problem was removed, so nothing was measured."""
    plus: Estimate | None
    problems: int
    """How many problems were kept."""
    removed: dict[Reason, int]
    """How many were removed, by reason."""


def judge_agreement(
    problems: Mapping[str, Problem], answers: Sequence[tuple[str, str, str]], sandbox: Sandbox
) -> Iterator[Agreement]:
    """Yield one row per answer, in order; an answer is (task id, y, y').

    Raises:
        BenchmarkError: an answer is to an unknown problem.
    """
    check_task_ids(problems, [Sample(task_id, 0, y) for task_id, y, _ in answers])
    own = _own_outputs([problems[task_id] for task_id, _, _ in answers], [y for _, y, _ in answers], sandbox)
    kept = [
        (problems[task_id], y_prime, reference)
        for (task_id, _, y_prime), reference in zip(answers, own, strict=True)
        if isinstance(reference, Reference)
    ]
    results = sandbox.run(
        program for problem, y_prime, reference in kept for program in reference.programs(problem, y_prime)
    )
    runs = by_problem([problem for problem, _, _ in kept], results)
    for (task_id, _, _), reference in zip(answers, own, strict=True):
        if isinstance(reference, Reference):
            row = judge(problems[task_id], 0, reference, next(runs))
            yield Agreement(task_id, None, row.base, row.plus, row.reason, row.detail, row.seconds)
        else:
            yield Agreement(task_id, reference, None, None, None, "", 0.0)


def self_consistency(rows: Sequence[Agreement]) -> SelfConsistency:
    """Return the rates over the rows that were kept."""
    kept = [row for row in rows if row.removed is None]
    return SelfConsistency(
        base=wilson_estimate(sum(bool(row.base) for row in kept), len(kept)) if kept else None,
        plus=wilson_estimate(sum(bool(row.plus) for row in kept), len(kept)) if kept else None,
        problems=len(kept),
        removed=dict(Counter(row.removed for row in rows if row.removed is not None)),
    )


def _own_outputs(problems: Sequence[Problem], codes: Sequence[str], sandbox: Sandbox) -> list[Reference | Reason]:
    """Return the outputs of y, or why there are none; y' cannot find them in a sandbox's memory afterwards."""
    results = sandbox.run(
        Program(code, problem.entry_point, inputs, [_SECONDS_PER_INPUT] * len(inputs))
        for problem, code in zip(problems, codes, strict=True)
        for inputs in problem.parts
    )
    own: list[Reference | Reason] = []
    for runs in by_problem(problems, results):
        failures = [outcome.reason for run in runs for outcome in run.outcomes if outcome.reason is not None]
        reference = reference_of(runs)
        own.append(reference if reference is not None else failures[0])
    sandbox.renew()
    return own

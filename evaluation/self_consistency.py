"""Self-consistency of a model: does it solve again what it says of its own code (InverseCoder, equation 2)?

For each problem x the model writes y = M(x), describes it as x', and writes y' = M(x'). The two agree when y' returns
what y returned on the benchmark's inputs. The generating is the caller's business; here enter y and y' as code.
Leaves: one row per problem, and rates with intervals over them.

A problem on which y itself has no output for some input is removed and counted, as in the paper, since there is
nothing to agree with. Not guaranteed: that y solves the problem at all; an agreement may be about a wrong answer.
An output of a type that cannot be compared (an iterator, say) agrees with nothing. y and y' may be run by the same
sandbox, so a y' that searched its memory could find what y returned.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.comparison_process import Comparer
from evaluation.execution import RunProgram, Sandbox
from evaluation.judging import check_task_ids, judge
from evaluation.problems import Problem
from evaluation.programs import Outcome, Program, Reason
from evaluation.reference import reference_of
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
    """Yield one row per answer, in the order of completion; an answer is (task id, y, y').

    Raises:
        BenchmarkError: an answer is to an unknown problem.
    """
    check_task_ids(problems, [Sample(task_id, 0, y) for task_id, y, _ in answers])

    with Comparer() as comparer:

        def work(answer: tuple[str, str, str], run: RunProgram) -> Agreement:
            task_id, y, y_prime = answer
            problem = problems[task_id]
            own = [run(program, _whatever) for program in _own_programs(problem, y)]
            reference = reference_of(own)
            if reference is None:
                reason = next(o.reason for result in own for o in result.outcomes if o.reason is not None)
                return Agreement(task_id, reason, None, None, None, "", 0.0)
            row = judge(problem, Sample(task_id, 0, y_prime), reference, run, comparer)
            return Agreement(task_id, None, row.base, row.plus, row.reason, row.detail, row.seconds)

        yield from sandbox.each(answers, work)


def self_consistency(rows: Sequence[Agreement]) -> SelfConsistency:
    """Return the rates over the rows that were kept."""
    kept = [row for row in rows if row.removed is None]
    return SelfConsistency(
        base=wilson_estimate(sum(bool(row.base) for row in kept), len(kept)) if kept else None,
        plus=wilson_estimate(sum(bool(row.plus) for row in kept), len(kept)) if kept else None,
        problems=len(kept),
        removed=dict(Counter(row.removed for row in rows if row.removed is not None)),
    )


def _own_programs(problem: Problem, y: str) -> list[Program]:
    return [Program(y, problem.entry_point, inputs, [_SECONDS_PER_INPUT] * len(inputs)) for inputs in problem.parts]


def _whatever(number: int, outcome: Outcome) -> bool:
    return outcome.reason is None  # any output will do; without one the problem drops out

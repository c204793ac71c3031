"""Self-consistency of a model: does it solve again what it says of its own code (InverseCoder, equation 2)?

For each problem x the model writes y = M(x), describes it as x', and writes y' = M(x'). The two agree when y' returns
what y returned on the benchmark's inputs. The generating is the caller's business; here enter y and y' as code.
Leaves: rates with intervals, and one row per problem.

A problem on which y itself has no output for some input is removed and counted, as in the paper, since there is
nothing to agree with. Not guaranteed: that y solves the problem at all; an agreement may be about a wrong answer.
An output of a type that cannot be compared (an iterator, say) agrees with nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.pass_at_k import check_task_ids, judge
from evaluation.problems import Problem
from evaluation.programs import Program, Reason
from evaluation.reference import Reference, reference_of
from evaluation.statistics import Estimate, wilson_estimate
from evaluation.suite import Verdict

_SECONDS_PER_INPUT = 4.0


@dataclass(frozen=True, slots=True)
class OwnOutputs:
    """What the model's first answers return, and why some problems drop out."""

    kept: dict[str, Reference]
    """By task id, the outputs of y on every input."""
    removed: dict[str, Reason]
    """By task id, why y has no output for some input."""


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Agreement over the problems that were kept."""

    base: Estimate
    plus: Estimate
    """Agreement on base and plus inputs together."""
    problems: int
    """How many problems were kept."""
    removed: dict[str, Reason]
    rows: tuple[Verdict, ...]
    """One per kept problem: whether y' agrees with y, and if not, where it first differs."""


def own_outputs(problems: Sequence[Problem], y_codes: Mapping[str, str], sandbox: Sandbox) -> OwnOutputs:
    """Run y on all inputs of each problem; only for `kept` need x' and y' be generated.

    Raises:
        BenchmarkError: `y_codes` does not hold exactly the problems' task ids.
    """
    check_task_ids(problems, y_codes)
    programs = [
        Program(
            y_codes[problem.task_id],
            problem.entry_point,
            problem.inputs,
            [_SECONDS_PER_INPUT] * len(problem.inputs),
        )
        for problem in problems
    ]
    kept: dict[str, Reference] = {}
    removed: dict[str, Reason] = {}
    for problem, result in zip(problems, sandbox.run(programs), strict=True):
        reference = reference_of(result)
        if reference is None:
            removed[problem.task_id] = next(o.reason for o in result.outcomes if o.reason is not None)
        else:
            kept[problem.task_id] = reference
    sandbox.renew()
    return OwnOutputs(kept, removed)


def self_consistency(
    problems: Sequence[Problem], own: OwnOutputs, y_prime_codes: Mapping[str, str], sandbox: Sandbox
) -> SelfConsistency:
    """Compare y' with y on the problems kept.

    Raises:
        BenchmarkError: every problem was removed, or `y_prime_codes` does not hold exactly the kept ones.
    """
    kept = [problem for problem in problems if problem.task_id in own.kept]
    if not kept:
        raise BenchmarkError("every problem was removed: the self-consistency was not measured")
    check_task_ids(kept, y_prime_codes)
    references = [own.kept[problem.task_id] for problem in kept]
    results = sandbox.run(
        reference.program(problem, y_prime_codes[problem.task_id])
        for problem, reference in zip(kept, references, strict=True)
    )
    rows = tuple(
        judge(problem, 0, reference, result)
        for problem, reference, result in zip(kept, references, results, strict=True)
    )
    return SelfConsistency(
        base=wilson_estimate(sum(row.base for row in rows), len(rows)),
        plus=wilson_estimate(sum(row.passed for row in rows), len(rows)),
        problems=len(kept),
        removed=dict(own.removed),
        rows=rows,
    )

"""Verdicts on generated solutions, and pass@k over them.

Enters: problems, and the generated code per task (already extracted, see `sanitize`). Leaves: one `Verdict` per
sample, and rates with their intervals.
Not guaranteed: that a passing solution is right beyond the inputs of the benchmark. "Plus" means that the base and
the plus inputs all pass, as in published tables.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluation.comparison import read_output, same_encoded
from evaluation.errors import BenchmarkError
from evaluation.execution import Sandbox
from evaluation.problems import Problem
from evaluation.programs import Outcome, ProgramResult, Reason
from evaluation.reference import Reference, compute_references
from evaluation.statistics import Estimate, bootstrap_estimate, wilson_estimate
from evaluation.suite import Verdict

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class PassRate:
    """pass@k of one set of samples, with 95% intervals."""

    k: int
    problems: int
    samples: int
    base: Estimate
    plus: Estimate


def judge_codes(problems: Sequence[Problem], codes: Mapping[str, Sequence[str]], sandbox: Sandbox) -> Iterator[Verdict]:
    """Yield the verdict on every sample, problem by problem in the order given.

    `codes` maps each task id to the code of its samples.

    Raises:
        BenchmarkError: `codes` lacks a problem or holds an unknown one: an unmeasured problem is no failed one.
    """
    check_task_ids(problems, codes)
    references = compute_references(problems, sandbox)
    samples = [(problem, index, code) for problem in problems for index, code in enumerate(codes[problem.task_id])]
    results = sandbox.run(references[problem.task_id].program(problem, code) for problem, _, code in samples)
    for (problem, index, _), result in zip(samples, results, strict=True):
        yield judge(problem, index, references[problem.task_id], result)


def check_task_ids(problems: Sequence[Problem], codes: Mapping[str, object]) -> None:
    """Raise `BenchmarkError` unless `codes` has exactly the problems' task ids."""
    wanted = {problem.task_id for problem in problems}
    if wanted != codes.keys():
        missing, unknown = sorted(wanted - codes.keys()), sorted(codes.keys() - wanted)
        raise BenchmarkError(f"the samples do not fit the benchmark: missing {missing[:5]}, unknown {unknown[:5]}")


def judge(problem: Problem, sample: int, reference: Reference, result: ProgramResult) -> Verdict:
    """Compare one run with the expected outputs; pure."""
    failures = [
        _failure(number, expected, outcome, problem.atol)
        for number, (expected, outcome) in enumerate(zip(reference.outputs, result.outcomes, strict=True))
    ]
    base = not any(failures[: len(problem.base_input)])
    first = next((failure for failure in failures if failure is not None), None)
    reason, detail = first if first is not None else (None, "")
    return Verdict(problem.task_id, sample, base, first is None, reason, detail, result.seconds)


def _failure(number: int, expected: bytes, outcome: Outcome, atol: float) -> tuple[Reason, str] | None:
    if outcome.reason is not None:
        return outcome.reason, f"input {number}: {outcome.detail}"
    if same_encoded(expected, outcome.encoded, atol):
        return None
    return "assertion", f"input {number}: expected {_brief(read_output(expected))}, got {_brief(outcome.value)}"


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a very long number"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Estimate without bias the chance that at least one of `k` samples passes (Chen et al. 2021, equation 1).

    Raises:
        ValueError: not 0 <= correct <= samples, or not 1 <= k <= samples.
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {correct} correct among {samples} samples is undefined")
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def pass_rate(verdicts: Iterable[Verdict], k: int = 1) -> PassRate:
    """Return the mean pass@k over the problems: Wilson's interval for one sample each, else the bootstrap's.

    Raises:
        ValueError: no verdicts, or a problem has fewer than `k` samples.
    """
    by_task: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_task[verdict.task_id].append(verdict)
    if not by_task:
        raise ValueError("no verdicts: the rate was not measured")
    groups = list(by_task.values())
    base = [(len(group), sum(verdict.base for verdict in group)) for group in groups]
    plus = [(len(group), sum(verdict.passed for verdict in group)) for group in groups]
    samples = sum(map(len, groups))
    return PassRate(k, len(groups), samples, _estimate(base, k), _estimate(plus, k))


def _estimate(counts: Sequence[tuple[int, int]], k: int) -> Estimate:
    values = [pass_at_k(samples, correct, k) for samples, correct in counts]
    if all(samples == 1 for samples, _ in counts):
        return wilson_estimate(round(sum(values)), len(values))
    return bootstrap_estimate(values)

"""pass@k over verdicts (Chen et al. 2021, equation 1), with intervals.

Enters: verdicts, any number of samples per task. Leaves: rates.
Not guaranteed: that the samples of a task are independent draws; that is the caller's business.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.statistics import Estimate, bootstrap_estimate, wilson_estimate
from evaluation.suite import Verdict


@dataclass(frozen=True, slots=True)
class PassRate:
    """pass@k of one set of samples, with 95% intervals."""

    k: int
    problems: int
    samples: int
    base: Estimate
    plus: Estimate | None
    """Base and plus tests together; None: the suite has no plus tests."""


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
    passed = [(len(group), sum(verdict.passed for verdict in group)) for group in groups]
    has_plus = any(verdict.plus is not None for group in groups for verdict in group)
    plus = _estimate(passed, k) if has_plus else None
    return PassRate(k, len(groups), sum(map(len, groups)), _estimate(base, k), plus)


def _estimate(counts: Sequence[tuple[int, int]], k: int) -> Estimate:
    values = [pass_at_k(samples, correct, k) for samples, correct in counts]
    if all(samples == 1 for samples, _ in counts):
        return wilson_estimate(round(sum(values)), len(values))
    return bootstrap_estimate(values)

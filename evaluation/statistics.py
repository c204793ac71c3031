"""How sure a benchmark's numbers are: intervals, paired comparison, and what could be seen at all.

Enters: counts, per-problem values, verdicts keyed by task id. Leaves: plain records.
Not guaranteed: anything about problems beyond the benchmark; problems count as independent draws.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

_RESAMPLES = 10_000
_BOOTSTRAP_SEED = 20_211


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate in [0, 1], a difference of two in [-1, 1], or a mean loss in nats, with its confidence interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on the same problems, problem by problem."""

    gained: tuple[str, ...]
    """Task ids that the candidate solves more often (with one sample each: that only it solves), in the order given."""
    lost: tuple[str, ...]
    """Task ids that the baseline solves more often."""
    difference: Estimate
    """Candidate's rate less the baseline's, in [-1, 1], with the interval of a paired bootstrap over problems."""
    p_two_sided: float
    """Exact McNemar: chance of a split at least this uneven if the two are equally good."""
    p_worse: float
    """One-sided: chance of at least this many lost if the two are equally good; small means worse."""


def wilson_estimate(successes: int, total: int, confidence: float = 0.95) -> Estimate:
    """Return a proportion with Wilson's score interval (Wilson 1927).

    Raises:
        ValueError: not 0 <= successes <= total, or total is 0.
    """
    if total < 1 or not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is no proportion")
    z = _two_sided_z(confidence)
    rate = successes / total
    center = (rate + z * z / (2 * total)) / (1 + z * z / total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Estimate(rate, min(rate, max(0.0, center - spread)), max(rate, min(1.0, center + spread)))


def bootstrap_estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean over problems with a percentile bootstrap interval that resamples problems.

    Seeded: the same values give the same interval.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values: the mean was not measured")
    draw = random.Random(_BOOTSTRAP_SEED)
    means = sorted(fmean(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    tail = (1 - confidence) / 2
    return Estimate(fmean(values), means[math.floor(tail * _RESAMPLES)], means[math.ceil((1 - tail) * _RESAMPLES) - 1])


def compare_paired(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> PairedComparison:
    """Compare two models by McNemar's exact test on the problems where they differ (McNemar 1947).

    The values are verdicts, or pass rates of several samples; with rates this is the exact sign test.

    Raises:
        ValueError: the two do not hold the same task ids, or none.
    """
    if not baseline or baseline.keys() != candidate.keys():
        raise ValueError(f"not the same problems: {sorted(baseline.keys() ^ candidate.keys())[:5]} are in one only")
    differences = {task: float(value) - float(baseline[task]) for task, value in candidate.items()}
    gained = tuple(task for task, difference in differences.items() if difference > 0)
    lost = tuple(task for task, difference in differences.items() if difference < 0)
    differing = len(gained) + len(lost)
    return PairedComparison(
        gained=gained,
        lost=lost,
        difference=bootstrap_estimate(list(differences.values())),
        p_two_sided=min(1.0, 2 * _fair_tail(max(len(gained), len(lost)), differing)),
        p_worse=_fair_tail(len(lost), differing),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, in their order (Holm 1979: the family-wise error)."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def minimum_detectable_effect(
    problems: int, differing_share: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Return the smallest difference of two pass rates that a two-sided paired test would likely find.

    `differing_share` is the share of problems on which the two models differ. Solves the sample size formula of
    Connor (1987) for the difference. None: even a completely one-sided split would be missed.

    Raises:
        ValueError: no problems, or a share outside (0, 1].
    """
    if problems < 1 or not 0 < differing_share <= 1:
        raise ValueError(f"need problems and a share in (0, 1], not {problems} and {differing_share}")
    z_alpha, z_power = _two_sided_z(1 - alpha), NormalDist().inv_cdf(power)
    # (d sqrt(n) - z_a sqrt(s))^2 = z_p^2 (s - d^2) is quadratic in d; the larger root is the one with z_p > 0.
    square = problems + z_power**2
    half_linear = z_alpha * math.sqrt(problems * differing_share)
    constant = (z_alpha**2 - z_power**2) * differing_share
    discriminant = half_linear**2 - square * constant
    if discriminant < 0:
        return None
    effect = (half_linear + math.sqrt(discriminant)) / square
    return effect if effect <= differing_share else None


def _two_sided_z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must be between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _fair_tail(at_least: int, tosses: int) -> float:
    """Return the chance of at least so many heads in so many tosses of a fair coin."""
    ways = sum(math.comb(tosses, heads) for heads in range(at_least, tosses + 1))
    return ways / (1 << tosses)

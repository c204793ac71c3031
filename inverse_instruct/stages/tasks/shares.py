"""Which snippet becomes a row of which task, so that the rows that are kept have the shares of the config.

Tasks differ in how many of their rows are good. So each wave gets what is missing of each task, within bounds: a task
that the model cannot do at all takes no more than a few times its share of the questions from the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

MOST = 2.0  # times its share of a wave
LEAST = 0.5


def quotas(shares: Mapping[str, float], kept: Mapping[str, int], count: int) -> dict[str, int]:
    """Return how many of the next rows are of which task; exact where all rows so far were kept.

    Args:
        shares: of each task, as parts of their sum.
        kept: rows of each task so far.
        count: rows to share out.
    """
    parts = {task: share / sum(shares.values()) for task, share in shares.items()}
    total = sum(kept.values()) + count
    missing = {
        task: min(max(part * total - kept.get(task, 0), LEAST * part * count), MOST * part * count + bool(part))
        for task, part in parts.items()
    }
    return largest_remainders(missing, count)


def largest_remainders(weights: Mapping[str, float], count: int) -> dict[str, int]:
    """Return whole numbers in the proportion of weights whose sum is `count`; of equal remainders the first gets it."""
    whole = sum(weights.values())
    exact = {name: count * weight / whole for name, weight in weights.items()}
    found = {name: int(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(weights, key=lambda name: found[name] - exact[name])
    for name in by_remainder[: count - sum(found.values())]:
        found[name] += 1
    return found


def assign(quota: Mapping[str, int], ranks: Sequence[int]) -> list[str]:
    """Return the task of each of some rows, which get them by their ranks."""
    tasks = list(Counter(quota).elements())
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    found = [""] * len(ranks)
    for task, place in zip(tasks, order, strict=True):
        found[place] = task
    return found

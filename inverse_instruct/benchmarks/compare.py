"""Two evaluations on the same problems: which were gained and lost, and whether luck explains it.

Enters: two evaluations (see `results`). Leaves: the difference with its interval (paired bootstrap over problems),
exact McNemar p-values, and what difference the problems could show at all.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from evaluation import Estimate, bootstrap_estimate, compare_paired, minimum_detectable_effect
from inverse_instruct.benchmarks.results import find_results, read_comparable, read_report, read_solution_losses
from inverse_instruct.errors import RunDirError


@dataclass(frozen=True)
class Comparison:
    """Two evaluations, problem by problem."""

    problems: int
    baseline: float  # mean pass rate
    candidate: float
    gained: tuple[str, ...]  # problems that the candidate solves more often
    lost: tuple[str, ...]
    difference: Estimate  # candidate less baseline
    p_two_sided: float
    p_worse: float
    minimum_detectable_effect: float | None  # None: too few problems differ to show any
    solution_loss: Estimate | None  # candidate less baseline, in nats per token; None: not measured of both


def compare(baseline: Path, candidate: Path) -> Comparison:
    """Return the paired comparison.

    Raises:
        RunDirError: one of them holds no results, or they are not of the same problems of the same data.
    """
    before, after, _ = read_comparable(baseline, candidate)
    versions = [
        {report.version for report in map(read_report, find_results(path)) if report} for path in (baseline, candidate)
    ]
    if before.keys() != after.keys() or (all(versions) and versions[0] != versions[1]):
        only = sorted(before.keys() ^ after.keys())
        why = f"{len(only)} problems are in one only, such as {only[0]}" if only else f"{versions[0]} and {versions[1]}"
        raise RunDirError(
            f"{baseline} and {candidate} did not measure the same problems ({why}); evaluate both on the "
            "same suite, data and tasks"
        )
    paired = compare_paired(before, after)
    differing = len(paired.gained) + len(paired.lost)
    effect = minimum_detectable_effect(len(before), differing / len(before)) if differing else None
    return Comparison(
        len(before),
        fmean(before.values()),
        fmean(after.values()),
        paired.gained,
        paired.lost,
        paired.difference,
        paired.p_two_sided,
        paired.p_worse,
        effect,
        _loss_difference(baseline, candidate),
    )


def _loss_difference(baseline: Path, candidate: Path) -> Estimate | None:
    """Return by how much the loss of the canonical solutions differs, on the tasks that both were measured on."""
    before, after = read_solution_losses(baseline), read_solution_losses(candidate)
    differences = [after[task] - before[task] for task in before if task in after]
    return bootstrap_estimate(differences) if differences else None


def print_comparison(comparison: Comparison, as_json: bool) -> None:
    """Print the comparison for a script or for a person."""
    if as_json:
        print(json.dumps(asdict(comparison), indent=2))
        return
    difference = comparison.difference
    print(
        f"{comparison.problems} problems: {100 * comparison.baseline:.1f} -> "
        f"{100 * comparison.candidate:.1f}, difference {100 * difference.rate:+.1f} "
        f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}] (95%, paired bootstrap)"
    )
    print(f"exact McNemar: p = {comparison.p_two_sided:.3g} two-sided; p = {comparison.p_worse:.3g} for worse")
    effect = comparison.minimum_detectable_effect
    print(
        "smallest difference that these problems would likely show: "
        + (f"{100 * effect:.1f} points" if effect is not None else "none, too few of them differ")
    )
    if loss := comparison.solution_loss:
        print(
            f"loss of the canonical solutions: {loss.rate:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}] nats per token "
            "(95%, paired bootstrap)"
        )
    for name, problems in (("gained", comparison.gained), ("lost", comparison.lost)):
        print(f"{name} ({len(problems)}): {', '.join(problems) or '-'}")

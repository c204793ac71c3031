"""What one measure hides from another: a model can pass more and still have become poorer.

Enters: what was measured of a checkpoint, and of the promoted one that it followed. Leaves: warnings in words. Not
guaranteed: that a difference is more than luck; each says from which to which figure, for a person to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inverse_instruct.store.measures import SuiteReport


def narrowing(before: Mapping[str, SuiteReport], after: Mapping[str, SuiteReport]) -> tuple[str, ...]:
    """Return warnings on the suites that both were measured on."""
    return tuple(
        f"{name}: {warning}" for name in after if name in before for warning in _of_suite(before[name], after[name])
    )


def _of_suite(before: SuiteReport, after: SuiteReport) -> Iterator[str]:
    rates = [{int(k): found.strictest.rate for k, found in report.pass_at_k.items()} for report in (before, after)]
    if not all(1 in rate for rate in rates):
        return
    rose = rates[1][1] - rates[0][1]
    told = f"pass@1 {'rose' if rose > 0 else 'fell'} from {100 * rates[0][1]:.1f} to {100 * rates[1][1]:.1f}"
    several = max((k for k in rates[0] if k > 1 and k in rates[1]), default=None)
    if rose > 0 and several and rates[1][several] < rates[0][several]:
        yield (
            f"{told} while pass@{several} fell from {100 * rates[0][several]:.1f} to {100 * rates[1][several]:.1f}: "
            "the model is surer, not better"
        )
    varieties = [report.diversity.within_task if report.diversity else None for report in (before, after)]
    if rose > 0 and varieties[0] is not None and varieties[1] is not None and varieties[1] < varieties[0]:
        yield (
            f"{told} while a task's samples became less different, {100 * varieties[0]:.1f} to "
            f"{100 * varieties[1]:.1f}% distinct"
        )
    agreed = [
        report.self_consistency.base.rate if report.self_consistency and report.self_consistency.base else None
        for report in (before, after)
    ]
    if rose < 0 and agreed[0] is not None and agreed[1] is not None and agreed[1] > agreed[0]:
        yield (
            f"{told} while self-consistency rose from {100 * agreed[0]:.1f} to {100 * agreed[1]:.1f}: "
            "the model agrees with itself, not with the tests"
        )

"""Per-problem results of an evaluation, read back: what promotion and `compare` look at.

Enters: the folder of an evaluation, of one suite in it, or a `results.jsonl`. Leaves: pass rates by problem.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import fmean
from typing import Any

from evaluation import Estimate
from inverse_instruct.errors import RunDirError
from inverse_instruct.store.measures import ReportHead, SuiteReport, read_head
from inverse_instruct.store.rows import read_rows


def read_pass_rates(path: Path, but: Collection[str] = ()) -> dict[str, float]:
    """Return the share of passing samples by `SUITE: TASK`.

    Args:
        path: of an evaluation.
        but: folders of suites that are left out.

    Raises:
        RunDirError: there are no results, or they are damaged.
    """
    passed: dict[str, list[bool]] = defaultdict(list)
    for results in _of_suites(path, but):
        suite = _suite_name(results)
        try:
            for row in read_rows(results):
                passed[f"{suite}: {row['task_id']}"].append(bool(row["passed"]))
        except (KeyError, TypeError) as error:
            raise RunDirError(f"{results}: a row holds no {error}; it is no results.jsonl of evaluate") from error
    if not passed:
        raise RunDirError(f"{path}: nothing was measured, so there is nothing to compare")
    return {problem: fmean(values) for problem, values in passed.items()}


def read_comparable(
    one: Path, other: Path, but: Collection[str] = ()
) -> tuple[dict[str, float], dict[str, float], set[str]]:
    """Return both pass rates without the problems that one of the two models left unanswered, and those problems.

    Args:
        one: an evaluation.
        other: another one.
        but: folders of suites that are left out.

    Raises:
        RunDirError: one of them holds no results, they are damaged, or nothing is left.
    """
    left_out = _unanswered(one, but) | _unanswered(other, but)
    first, second = (
        {problem: rate for problem, rate in read_pass_rates(path, but).items() if problem not in left_out}
        for path in (one, other)
    )
    if not first or not second:
        raise RunDirError(f"{one} and {other}: no problem was answered by both, so there is nothing to compare")
    return first, second, left_out


def read_agreements(path: Path) -> dict[str, float]:
    """Return 1 or 0, whether the model agrees with itself, by `SUITE: TASK`, where self-consistency was measured.

    Args:
        path: of an evaluation.

    Raises:
        RunDirError: there are no results, or the agreements are damaged.
    """
    return _beside_results(
        path,
        "self_consistency.jsonl",
        lambda row: float(row["base"] if row["plus"] is None else row["plus"]) if row["removed"] is None else None,
    )


def read_solution_losses(path: Path) -> dict[str, float]:
    """Return the loss of each canonical solution by `SUITE: TASK`, where it was measured.

    Args:
        path: of an evaluation.

    Raises:
        RunDirError: there are no results, or the losses are damaged.
    """
    return _beside_results(
        path, "solution_loss.jsonl", lambda row: float(row["loss"]) if row["loss"] is not None else None
    )


def _beside_results(path: Path, name: str, value_of: Callable[[dict[str, Any]], float | None]) -> dict[str, float]:
    """Return the values, where there are any, of a file that each suite of an evaluation may have."""
    found: dict[str, float] = {}
    for results in find_results(path):
        file = results.with_name(name)
        try:
            for row in read_rows(file) if file.is_file() else ():
                if (value := value_of(row)) is not None:
                    found[f"{_suite_name(results)}: {row['task_id']}"] = value
        except (KeyError, TypeError, ValueError) as error:
            raise RunDirError(f"{file}: is not as evaluate writes it ({error})") from error
    return found


def find_results(path: Path) -> list[Path]:
    """Return the results files at or under a path.

    Raises:
        RunDirError: there are none.
    """
    found = [path] if path.is_file() else sorted(path.glob("results.jsonl")) or sorted(path.glob("*/results.jsonl"))
    if not found:
        raise RunDirError(
            f"{path}: holds no results.jsonl; name the --output folder of an evaluate, or the evaluate "
            "folder of a round"
        )
    return found


def read_report(results: Path) -> ReportHead | None:
    """Return what tells the `report.json` beside a results file from others; None where there is none.

    Raises:
        RunDirError: it is damaged, or of something else.
    """
    path = results.parent / "report.json"
    if not path.is_file():
        return None
    try:
        return read_head(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RunDirError) as error:
        raise RunDirError(f"{path}: cannot be used ({error}); remove it, or evaluate again") from error


def describe_report(report: SuiteReport) -> str:
    """Return a report in words, a line per fact."""
    lines = [f"{report.suite} ({report.version}): {report.problems} problems, {report.samples} samples"]
    for k, rates in report.pass_at_k.items():
        plus = f", base and plus {percent(rates.plus)}" if rates.plus else ""
        lines.append(f"  pass@{k}: {'base ' if plus else ''}{percent(rates.base)}{plus}")
    if report.reasons:
        ordered = sorted(report.reasons.items(), key=lambda item: -item[1])
        lines.append("  failed: " + ", ".join(f"{count} {reason}" for reason, count in ordered))
    if report.read_otherwise:
        lines.append(f"  passed by another reading of the reply than the first: {report.read_otherwise}")
    if report.unread:
        lines.append(f"  took too much time or memory to read, judged as they stand: {report.unread}")
    if report.diversity:
        distinct = report.diversity
        within = f", {100 * distinct.within_task:.1f}% of a task's samples" if distinct.within_task else ""
        lines.append(f"  distinct solutions: {distinct.distinct} of {distinct.samples}{within}")
    if report.minimum_detectable_effect is not None:
        lines.append(
            f"  a paired difference below {100 * report.minimum_detectable_effect:.1f} points is likely "
            "missed (if two models differ on a tenth of the problems)"
        )
    if consistency := report.self_consistency:
        measured = (
            f"base {percent(consistency.base)}, plus {percent(consistency.plus)}"
            if consistency.base and consistency.plus
            else "not measured, every problem was removed"
        )
        removed = ", ".join(f"{count} {reason}" for reason, count in consistency.removed.items()) or "none"
        lines.append(f"  self-consistency: {measured} of {consistency.problems}; removed: {removed}")
    if loss := report.solution_loss:
        lines.append(
            f"  loss of the canonical solutions: {loss.rate:.4f} [{loss.low:.4f}, {loss.high:.4f}] nats per token"
        )
    lines += [f"  not measured: {count} problems: {why}" for why, count in report.not_measured.items()]
    if not report.sandboxed:
        lines.append("  the code was run WITHOUT a sandbox")
    return "\n".join(lines)


def percent(estimate: Estimate) -> str:
    """Return an estimated rate in percent with its interval."""
    return f"{100 * estimate.rate:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _of_suites(path: Path, but: Collection[str]) -> list[Path]:
    return [results for results in find_results(path) if results.parent.name not in but]


def _unanswered(path: Path, but: Collection[str]) -> set[str]:
    reports = {results: read_report(results) for results in _of_suites(path, but)}
    return {
        f"{_suite_name(results)}: {task}"
        for results, report in reports.items()
        for task in (report.unanswered if report else ())
    }


def _suite_name(results: Path) -> str:
    report = read_report(results)
    return report.suite if report and report.suite else results.parent.name

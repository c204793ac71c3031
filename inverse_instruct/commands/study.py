"""The command `study`: plays the variants, and prints how they compare."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inverse_instruct.config.study_file import load_study
from inverse_instruct.dashboard.study_page import write_study_page
from inverse_instruct.loop.claims import ClaimResult
from inverse_instruct.loop.study import RESULTS, check_study, play_study
from inverse_instruct.loop.study_results import Against, StudyResults, VariantResult

PAGE = "study.html"


def run_study(arguments: argparse.Namespace) -> None:
    """Check and play a study, then print its table; its page lies beside it.

    Raises:
        ConfigError: with every problem of every variant.
        StageError: variants failed.
    """
    study = load_study(arguments.study, arguments.overrides)
    folder = arguments.run_dir or Path("runs", study.name)
    check_study(study, folder)
    try:
        results = play_study(study, folder)
    finally:
        if (folder / RESULTS).is_file():
            write_study_page(json.loads((folder / RESULTS).read_text(encoding="utf-8")), folder / PAGE)
    print_study(results, folder, arguments.json)


def print_study(results: StudyResults, folder: Path, as_json: bool) -> None:
    """Print the table of a study, for a script or for a person."""
    if as_json:
        print(json.dumps(results.as_json(), indent=2, ensure_ascii=False))
        return
    suites = list(dict.fromkeys(name for row in results.variants for name in row.suites))
    table = Table("variant", "changes", title=Text(f"{results.study}: against {results.baseline}"))
    for name in ("rows", *(f"{suite} pass@1" for suite in suites), "difference [95%]", "+/-", "p", "p (Holm)"):
        table.add_column(Text(name), justify="right")
    for row in results.variants:
        table.add_row(*map(Text, [row.variant, _changes(row), _shown(row.rows), *_rates(row, suites), *_against(row)]))
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    if results.claims:
        console.print(_claims(results))
    console.print(f"page: {folder / PAGE}", markup=False, highlight=False)


def _claims(results: StudyResults) -> Table:
    table = Table("claim", "checkpoints", "measure", title=Text("claims, written before"))
    for name in ("problems", "before", "after", "difference [95%]", "+/-", "p", "p (Holm)", "holds"):
        table.add_column(Text(name), justify="right")
    for row in results.claims:
        said = [row.claim, f"{row.candidate} against {row.baseline}", f"{row.measure}, {row.holds_if}"]
        table.add_row(*map(Text, [*said, *_decision(row)]))
    return table


def _decision(row: ClaimResult) -> list[str]:
    if row.holds is None or row.before is None or row.after is None:
        return ["-"] * 7 + ["not measured"]
    scale, form = (1, ".4f") if row.measure == "solution_loss" else (100, ".1f")
    numbers = [format(scale * value, form) for value in (row.before, row.after)]
    low, high = (format(scale * (value or 0.0), f"+{form}") for value in (row.low, row.high))
    interval = f"{format(scale * (row.after - row.before), f'+{form}')} [{low}, {high}]"
    signs = f"+{row.improved} -{row.worsened}"
    return [
        str(row.problems),
        *numbers,
        interval,
        signs,
        f"{row.p:.3f}",
        f"{row.p_holm:.3f}",
        "yes" if row.holds else "no",
    ]


def _changes(row: VariantResult) -> str:
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in row.changes.items()) or "-"


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def _rates(row: VariantResult, suites: list[str]) -> list[str]:
    reports = [row.suites.get(suite) for suite in suites]
    rates = [report.pass_at_1 if report else None for report in reports]
    return [f"{100 * rate.strictest.rate:.1f}" if rate else "-" for rate in rates]


def _against(row: VariantResult) -> list[str]:
    found: Against | None = row.against
    if found is None:
        return ["failed" if row.failure else "-", "-", "-", "-"]
    interval = f"{100 * found.difference:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return [interval, f"+{found.gained} -{found.lost}", f"{found.p:.3f}", f"{found.p_holm:.3f}"]

"""The command `analyze`: what a run's rows, or any two files of rows, are like."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inverse_instruct.analysis.analyze import Analysis, analyze
from inverse_instruct.analysis.pairs import find_sets
from inverse_instruct.benchmarks.kept_out import read_kept_out
from inverse_instruct.config.sections import KeptOut
from inverse_instruct.dashboard.analysis_page import write_analysis_page
from inverse_instruct.inference.embedding.process import SentenceModel, unit_vectors
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.store.files import write_json
from inverse_instruct.store.run_dir import RunDir


def run_analyze(arguments: argparse.Namespace) -> None:
    """Measure the sets that are named, print what they are like, and write the page if one is wanted.

    Raises:
        InverseInstructError: one cannot be read, or holds no row.
    """
    sets = [each for path in arguments.rows for each in find_sets(path)]
    for number, each in enumerate(sets):  # two files may have one name
        if each.name in {other.name for other in sets[:number]}:
            each.name = str(each.path)
    names = dict.fromkeys(arguments.benchmark or ["mini"])
    benchmarks = {name: read_kept_out([KeptOut(name=name)])[0] for name in names}
    if arguments.embedding:
        with SentenceModel(resolve_model(arguments.embedding)) as model:
            found = analyze(sets, benchmarks, lambda texts: unit_vectors(model(texts)))
    else:
        found = analyze(sets, benchmarks)
    if len(arguments.rows) == 1 and (arguments.rows[0] / "ledger.db").is_file():
        write_json(RunDir(arguments.rows[0]).analysis, found.as_json())  # for the dashboard and the report
    if arguments.output:
        write_analysis_page(found.as_json(), arguments.output)
    if arguments.json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        print_analysis(found, arguments.output)


def print_analysis(found: Analysis, page: Path | None) -> None:
    """Print the figures for a person, a column for each set."""
    table = Table("")
    for each in found.sets:
        table.add_column(Text(each.name), justify="right")

    def row(label: str, cells: list[str]) -> None:
        table.add_row(*map(Text, [label, *cells]))

    row("rows", [f"{each.rows:,}" for each in found.sets])
    row("not readable", [f"{sum(each.unreadable.values()):,}" for each in found.sets])
    for side in ("instruction", "response"):
        sides = [getattr(each, side) for each in found.sets]
        row(f"{side}: tokens, mean", [f"{each.mean:.1f}" for each in sides])
        row(f"{side}: tokens, median", [f"{each.median:.0f}" for each in sides])
    row("first verbs", ["\n".join(_share(verb, n, each.rows) for verb, n in each.verbs[:5]) for each in found.sets])
    row(
        "beginnings (prefixes)",
        ["\n".join(_share(text, n, each.rows) for text, n in each.beginnings) for each in found.sets],
    )
    for threshold in found.sets[0].near_duplicates:
        row(f"near duplicates at {threshold}", [f"{100 * each.near_duplicates[threshold]:.2f}%" for each in found.sets])
    for name in found.sets[0].similarity:
        near = [each.similarity[name] for each in found.sets]
        row(f"similarity to {name}: mean", [f"{each.mean:.3f}" for each in near])
        row(f"similarity to {name}: largest", [f"{each.largest:.3f} ({each.nearest[0].task})" for each in near])
        if all(each.embedded_similarity for each in found.sets):
            near = [each.embedded_similarity[name] for each in found.sets]
            row(f"embedded similarity to {name}: mean", [f"{each.mean:.3f}" for each in near])
            row(
                f"embedded similarity to {name}: largest",
                [f"{each.largest:.3f} ({each.nearest[0].task})" for each in near],
            )
    for kinds in ("tasks", "categories"):
        of_sets = [(getattr(each, kinds), each.rows) for each in found.sets]
        if any(counts for counts, _ in of_sets):
            row(kinds, ["\n".join(_share(kind, n, rows) for kind, n in counts) for counts, rows in of_sets])
    if any(each.edits for each in found.sets):
        row("edit ratio, mean", [f"{each.edits.mean_ratio:.2f}" if each.edits else "-" for each in found.sets])
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)
    for name, share in found.overlap.items():
        console.print(f"{name}: {100 * share:.2f}% are near duplicates at 0.6", markup=False, highlight=False)
    if page:
        console.print(f"page: {page}", markup=False, highlight=False)


def _share(verb: str, count: int, rows: int) -> str:
    return f"{verb} {100 * count / rows:.0f}%"

"""The command `run --preview`: each row's way through one round, and what the whole run will take."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inverse_instruct.config.config_file import read_config
from inverse_instruct.dashboard.report import write_report
from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.loop.check import check_read
from inverse_instruct.loop.plan import describe_duration
from inverse_instruct.loop.preview import Measured, make_room, preview, preview_config

SHOWN_CHARACTERS = 60


def run_preview(arguments: argparse.Namespace) -> None:
    """Play a preview, and print what it shows."""
    read = read_config(arguments.config, arguments.overrides)
    if read.config is None:
        raise read.error()
    folder = arguments.run_dir or Path("runs", f"{read.config.name}-preview")
    make_room(folder)
    config, _ = check_read(read, folder)
    measured = preview(config, arguments.preview, folder)
    console = Console(width=None if Console().is_terminal else 120)
    for number in range(preview_config(config, arguments.preview).rounds + 1):
        _print_ways(console, folder, number, arguments.preview)
    write_report(folder, folder / "report.html")
    _print_estimate(console, config.rounds, measured)
    console.print(Text(f"The same on a page: {folder / 'report.html'}"))


def _print_ways(console: Console, folder: Path, number: int, rows: int) -> None:
    """Print what became of each row of a round."""
    table = Table("row", "what", "LM-Score", "became", title=f"round {number}", title_justify="left")
    for row in read_page(folder, RowQuery(round=number), size=10 * rows)["rows"]:
        place = f"{Path(str(row.get('source') or '')).name}:{row.get('line') or ''}".strip(":")
        for part in row.get("candidates") or [row]:
            table.add_row(*map(Text, (place, _brief(part, row), _score(part), _became(part))))
            place = ""
    if table.row_count:
        console.print(table)


def _brief(part: dict[str, Any], row: dict[str, Any]) -> str:
    found = (source.get(name) for source in (part, row) for name in ("text", "instruction", "code", "detail"))
    text = " ".join(str(next(filter(None, found), "")).split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def _score(part: dict[str, Any]) -> str:
    score = part.get("score", part.get("lm_score"))
    return "" if score is None else f"{score:.3f}"


def _became(part: dict[str, Any]) -> str:
    outcome, stage = str(part.get("outcome") or ""), str(part.get("stage") or "")
    return outcome.replace("_", " ") + (f" ({stage})" if stage and outcome not in ("selected", "kept") else "")


def _print_estimate(console: Console, rounds: int, measured: Measured) -> None:
    console.print(Text(f"The whole run, {rounds} rounds, by these rates:"))
    table = Table("stage")
    for name in ("about", "tokens"):
        table.add_column(name, justify="right")
    for stage in (*measured.stages, dataclasses.replace(measured.stages[0], stage="all", **_sums(measured))):
        table.add_row(stage.stage, describe_duration(stage.seconds), f"{stage.tokens:,}" if stage.tokens else "")
    console.print(table)
    console.print(Text(f"About {measured.disk_bytes / 1e9:.1f} GB of disk"))


def _sums(measured: Measured) -> dict[str, Any]:
    return {"seconds": measured.seconds, "tokens": sum(stage.tokens for stage in measured.stages)}

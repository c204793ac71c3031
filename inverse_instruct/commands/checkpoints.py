"""The command `checkpoints`: what it does, and what it prints: tables for a person, stable JSON for a script."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inverse_instruct.benchmarks.results import percent
from inverse_instruct.commands.user import user
from inverse_instruct.errors import ConfigError, HubError
from inverse_instruct.registry.checkpoints import Listing, list_checkpoints, show_checkpoint
from inverse_instruct.registry.export import export_checkpoint
from inverse_instruct.registry.lineage import Lineage, TrainedOn
from inverse_instruct.registry.promote import promote_checkpoint, roll_back
from inverse_instruct.store.ledger_rows import Checkpoint, Promotion
from inverse_instruct.store.measures import Decision, Phase, Rates, SuiteReport
from inverse_instruct.store.run_dir import RunDir, newest_run
from inverse_instruct.system.hub_push import check_destination, push_folder

STATE_STYLES = {"promoted": "bold green", "candidate": "", "retired": "dim"}


def run_command(arguments: argparse.Namespace) -> None:
    """Run the subcommand of `checkpoints` that the command line names.

    Raises:
        InverseInstructError: there is no such run or checkpoint, or its files are not what was measured.
    """
    path = arguments.run_dir or newest_run()
    match arguments.checkpoints:
        case "list":
            print_checkpoints(list_checkpoints(path), arguments.json)
        case "show":
            print_lineage(show_checkpoint(path, arguments.name), arguments.json)
        case "promote":
            print_change(*promote_checkpoint(RunDir(path), arguments.name, arguments.reason, author=user()))
        case "rollback":
            print_change(*roll_back(RunDir(path), arguments.reason, author=user()))
        case "export":
            _export(path, arguments)


def _export(path: Path, arguments: argparse.Namespace) -> None:
    """Write an export, and push it: what the hub would refuse at once is known before anything is written."""
    name, public = arguments.push_to_hub, arguments.public
    if public and not name:
        raise ConfigError(["--public: nothing is pushed; name a repository with --push-to-hub"])
    if name:
        model = check_destination(name, "model", public=public)
        rows = check_destination(f"{model}-rows", "dataset", public=public)
    folder, unstated = export_checkpoint(path, arguments.name, arguments.output, arguments.gguf)
    print_export(folder, unstated)
    if not name:
        return
    try:
        print(push_folder(folder, model, "model", public=public))
        if (folder / "dataset").is_dir():
            print(push_folder(folder / "dataset", rows, "dataset", public=public))
    except HubError as error:
        raise HubError(f"{error}\nthe export is whole in {folder}; `hf upload {model} {folder}` uploads it") from error


def moment(seconds: float) -> str:
    """Return a time in words, in the zone of this machine."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def print_checkpoints(listing: Listing, as_json: bool) -> None:
    """Print all checkpoints of a run, and below them how the promoted one changed."""
    if as_json:
        print(json.dumps(asdict(listing), indent=2, ensure_ascii=False))
        return
    console = _console()
    suites = list(dict.fromkeys(suite for row in listing.checkpoints for suite in row.pass_at_1))
    table = Table("", "checkpoint", "state", "digest", title=Text(f"checkpoints of {listing.run_dir}"))
    for suite in suites:
        table.add_column(Text(f"{suite} pass@1 [95%]"), justify="right")
    table.add_column("decision of the loop")
    table.add_column("created", no_wrap=True)
    for row in listing.checkpoints:
        cells = [
            "→" if row.state == "promoted" else "",
            row.name,
            row.state,
            row.digest,
            *(_pass_at_1(row.pass_at_1.get(suite)) for suite in suites),
            row.reason,
            moment(row.created),
        ]
        table.add_row(*map(Text, cells), style=STATE_STYLES[row.state])
    console.print(table)
    _print_promotions(console, listing.promotions)


def print_lineage(lineage: Lineage, as_json: bool) -> None:
    """Print where a checkpoint came from and what became of it."""
    if as_json:
        print(json.dumps(asdict(lineage), indent=2, ensure_ascii=False))
        return
    console = _console()
    facts = Table(
        show_header=False,
        box=None,
        title=Text(f"{lineage.name} of {lineage.run.name}"),
        title_justify="left",
        title_style="bold",
    )
    for name, value in _facts(lineage):
        facts.add_row(Text(name, style="dim"), Text(value))
    console.print(facts)
    _print_promotions(console, lineage.promotions)


def print_change(promoted: Checkpoint, before: Checkpoint | None) -> None:
    """Print what is promoted now and what it replaced."""
    over = f", in place of {before.name}" if before else ""
    print(f"{promoted.name} ({promoted.digest}) is promoted now{over}")
    print("a gateway that serves this run swaps to it by itself")


def print_export(folder: Path, unstated: Sequence[str]) -> None:
    """Print where an export is and which licenses its cards do not state."""
    print(folder)
    for name in unstated:
        print(f"warning: the cards say 'not stated' for {name}; set it in the run's run.yaml, and export again")


def _console() -> Console:
    return Console(width=None if Console().is_terminal else 150)


def _pass_at_1(rates: Rates | None) -> str:
    return percent(rates.strictest) if rates else "-"


def _print_promotions(console: Console, moves: Sequence[Promotion]) -> None:
    for move in moves:
        over = f" over round-{move.over:02d}" if move.over is not None else ""
        verb = "rolled back to" if move.action == "rollback" else "promoted"
        why = f": {move.reason}" if move.reason else ""
        console.print(Text(f"{moment(move.time)}  {move.author} {verb} round-{move.round:02d}{over}{why}"))


def _facts(lineage: Lineage) -> list[tuple[str, str]]:
    files, run, base = lineage.files, lineage.run, lineage.base
    return [
        ("state", lineage.state),
        ("created", moment(lineage.created)),
        ("digest", lineage.digest),
        ("files", f"{files.path} ({files.bytes / 1e6:.0f} MB)"),
        ("", files.problem or "whole; their digest is the one that was measured"),
        ("run", f"{run.path}, seed {run.seed}, config {run.config_digest}"),
        *(
            [
                ("base", f"{base.name} ({base.digest})"),
                ("parent", lineage.parent or "none: no model wrote rows"),
            ]
            if base
            else [("given", f"{lineage.given}: the run trained nothing for it")]
        ),
        *(("data", _data(data)) for data in lineage.data),
        *(("phase", _phase(phase)) for phase in lineage.phases),
        *(("measured", f"{name}: {_suite(report)}") for name, report in lineage.suites.items()),
        *_decision(lineage.decision, lineage.rival),
    ]


def _data(data: TrainedOn) -> str:
    by = f", written by {data.written_by}" if data.written_by else ""
    return f"{data.rows} {data.data} rows{by}: {data.file}, SHA-256 {(data.digest or 'unknown')[:16]}"


def _phase(phase: Phase) -> str:
    rejected = "".join(f", {count} {reason}" for reason, count in phase.rejected.items())
    return (
        f"{phase.data}: {phase.rows} rows{rejected}, {phase.steps} steps, {phase.tokens} tokens, loss "
        f"{phase.loss_first:.3f} → {phase.loss_last:.3f}"
    )


def _suite(report: SuiteReport) -> str:
    rates = [
        f"pass@{k} {'base ' if rate.plus else ''}{percent(rate.base)}"
        f"{', plus ' + percent(rate.plus) if rate.plus else ''}"
        for k, rate in report.pass_at_k.items()
    ]
    measured = report.self_consistency
    if measured and measured.plus:
        rates.append(f"self-consistency {percent(measured.plus)}")
    return f"{', '.join(rates) or 'not measured'} of {report.problems} problems"


def _decision(decision: Decision | None, rival: str | None) -> list[tuple[str, str]]:
    if decision is None:
        return [("decision", "none so far")]
    against = f" ({rival})" if rival else ""
    verdict = "promoted" if decision.promoted else "not promoted"
    lines = [("decision", f"{verdict} by the loop: {decision.reason}{against}")]
    problems = {"gained": decision.gained, "lost": decision.lost}
    return lines + [(name, f"{len(some)}: {', '.join(some)}") for name, some in problems.items() if some]

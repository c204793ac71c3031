"""The command `status`: where a run is, as a table for a person or as stable JSON for a script."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inverse_instruct.store.status import RoundStatus, RunStatus


def print_status(status: RunStatus, as_json: bool) -> None:
    """Print the status for a script or for a person."""
    if as_json:
        print(json.dumps(status.plain(), indent=2, ensure_ascii=False))
        return
    console = Console(width=None if Console().is_terminal else 150)
    table = Table(
        "round",
        title=Text(f"{status.run.name}: {status.run.state}" if status.run else ": not started"),
    )
    for name in (
        "snippets",
        "candidates",
        "selected",
        "mean LM-Score",
        "loss first → last",
        "pass@1 base",
        "pass@1 plus [95%]",
        "self-consistency",
        "against the last promoted",
        "promoted",
    ):
        table.add_column(name, justify="right")
    for row in status.rounds:
        table.add_row(*map(Text, _cells(row)))
    console.print(table)
    for row in status.rounds:
        if row.discernment is not None:
            share = f"{100 * row.discernment:.0f}%"
            console.print(Text(f"round {row.round}: scores tell own instructions from strangers' in {share} of cases"))
        if row.verdicts:
            told = ", ".join(f"{count} {state}" for state, count in row.verdicts.items())
            console.print(Text(f"round {row.round}: {told} instructions"))
        if row.reason:
            console.print(Text(f"round {row.round}: {row.reason}"))
        for warning in row.warnings:
            console.print(Text(f"round {row.round}: look at {warning}"))
    for stage in status.stages:
        if stage.state == "running":
            console.print(Text(f"round {stage.round} {stage.stage}: {stage.done} of {stage.total or '?'}"))


def _cells(row: RoundStatus) -> list[str]:
    def shown(value: Any, form: str = "{}") -> str:
        return "-" if value is None else form.format(value)

    loss = "-" if row.loss_first is None else f"{row.loss_first:.3f} → {row.loss_last:.3f}"
    base = plus = consistency = "-"
    if row.pass_at_1:
        estimate = row.pass_at_1.strictest
        base = f"{100 * row.pass_at_1.base.rate:.1f}"
        plus = f"{100 * estimate.rate:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    measured = row.self_consistency
    if measured and measured.base and measured.plus:
        consistency = (
            f"{100 * measured.base.rate:.1f} ({100 * measured.plus.rate:.1f}) "
            f"of {measured.problems}, {sum(measured.removed.values())} removed"
        )
    paired = (
        "-" if row.p_worse is None else (f"+{len(row.gained or ())} -{len(row.lost or ())}, p(worse) {row.p_worse:.2f}")
    )
    promoted = {None: "-", True: "yes", False: "no"}[row.promoted]
    return [
        str(row.round),
        shown(row.snippets),
        shown(row.candidates),
        shown(row.selected),
        shown(row.mean_lm_score, "{:.3f}"),
        loss,
        base,
        plus,
        consistency,
        paired,
        promoted,
    ]

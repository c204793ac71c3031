"""What a run did, round by round, from its ledger: the table and the JSON of `status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir


def summarize_run(path: Path) -> dict[str, Any]:
    """Return the state of a run as plain values; the keys are stable. What was not measured is None.

    Raises:
        RunDirError: the folder holds no run.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        run = ledger.run()
        if run and run["state"] == "running" and not RunDir(path).is_locked():
            run["state"] = "interrupted"  # its process was killed
        checkpoints = {checkpoint.round: checkpoint for checkpoint in ledger.checkpoints()}
        stages = ledger.stages()
        numbers = sorted({stage["round"] for stage in stages})
        return {
            "run_dir": str(path),
            "run": run,
            "rounds": [_round(number, stages, checkpoints.get(number)) for number in numbers],
            "stages": [
                {name: stage[name] for name in ("round", "stage", "state", "done", "total", "started", "updated")}
                for stage in stages
            ],
            "events": ledger.events(),
        }


def _round(number: int, stages: list[dict[str, Any]], checkpoint: Any) -> dict[str, Any]:
    manifests = {stage["stage"]: stage["manifest"] for stage in stages if stage["round"] == number}

    def value(stage: str, *keys: str) -> Any:
        node: Any = manifests.get(stage)
        for key in keys:
            node = node.get(key) if node else None
        return node

    phases = value("train", "metrics", "phases") or []
    decision = value("promote", "metrics") or {}
    suites = value("evaluate", "metrics", "suites") or {}
    main: dict[str, Any] = next(iter(suites.values()), {})  # the config's first suite
    return {
        "round": number,
        "snippets": value("preprocess", "rows_out") if number == 0 else value("summarize", "metrics", "snippets"),
        "candidates": value("summarize", "rows_out"),
        "selected": value("selection", "rows_out"),
        "mean_lm_score": value("selection", "metrics", "mean_lm_score"),
        "loss_first": phases[0]["loss_first"] if phases else None,
        "loss_last": phases[-1]["loss_last"] if phases else None,
        "pass_at_1": (main.get("pass_at_k") or {}).get("1"),
        "self_consistency": main.get("self_consistency"),
        "suites": suites,
        "promoted": decision.get("promoted"),
        "gained": decision.get("gained"),
        "lost": decision.get("lost"),
        "p_worse": decision.get("p_worse"),
        "reason": decision.get("reason"),
        "checkpoint": checkpoint.path if checkpoint else None,
        "seconds": _seconds([manifest for manifest in manifests.values() if manifest]),
    }


def _seconds(manifests: list[dict[str, Any]]) -> float | None:
    alone = [manifest["seconds"] for manifest in manifests if "together_with" not in manifest["metrics"]]
    return sum(alone) if manifests else None


def print_status(status: dict[str, Any], as_json: bool) -> None:
    """Print the status for a script or for a person."""
    if as_json:
        print(json.dumps(status, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if Console().is_terminal else 150)
    table = Table(
        "round",
        title=Text(f"{(status['run'] or {}).get('name', '')}: {(status['run'] or {}).get('state', 'not started')}"),
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
    for row in status["rounds"]:
        table.add_row(*map(Text, _cells(row)))
    console.print(table)
    for row in status["rounds"]:
        if row["reason"]:
            console.print(Text(f"round {row['round']}: {row['reason']}"))
    for stage in status["stages"]:
        if stage["state"] == "running":
            console.print(Text(f"round {stage['round']} {stage['stage']}: {stage['done']} of {stage['total'] or '?'}"))


def _cells(row: dict[str, Any]) -> list[str]:
    def shown(value: Any, form: str = "{}") -> str:
        return "-" if value is None else form.format(value)

    loss = "-" if row["loss_first"] is None else f"{row['loss_first']:.3f} → {row['loss_last']:.3f}"
    base = plus = consistency = "-"
    if row["pass_at_1"]:
        estimate = row["pass_at_1"]["plus"] or row["pass_at_1"]["base"]
        base = f"{100 * row['pass_at_1']['base']['rate']:.1f}"
        plus = f"{100 * estimate['rate']:.1f} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"
    measured = row["self_consistency"]
    if measured and measured["base"]:
        consistency = (
            f"{100 * measured['base']['rate']:.1f} ({100 * measured['plus']['rate']:.1f}) "
            f"of {measured['problems']}, {sum(measured['removed'].values())} removed"
        )
    paired = (
        "-" if row["p_worse"] is None else (f"+{len(row['gained'])} -{len(row['lost'])}, p(worse) {row['p_worse']:.2f}")
    )
    promoted = {None: "-", True: "yes", False: "no"}[row["promoted"]]
    return [
        str(row["round"]),
        shown(row["snippets"]),
        shown(row["candidates"]),
        shown(row["selected"]),
        shown(row["mean_lm_score"], "{:.3f}"),
        loss,
        base,
        plus,
        consistency,
        paired,
        promoted,
    ]

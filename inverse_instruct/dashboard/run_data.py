"""All that the pages show of a run but its rows, as plain JSON values.

Enters: a run directory: ledger, manifests, loss files, score files. Leaves: one mapping. What was not measured is None,
never 0. Not guaranteed: that the parts are of the same instant while the run goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inverse_instruct.dashboard.curves import training_curves
from inverse_instruct.dashboard.histograms import score_histogram
from inverse_instruct.store.ledger import Checkpoint, Ledger, Promotion
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import summarize_run

LATEST_EVENTS = 200


def collect_run(path: Path) -> dict[str, Any]:
    """Return what the pages show of a run.

    Raises:
        RunDirError: the folder holds no run, or its ledger is damaged.
    """
    run_dir = RunDir(path)
    status = summarize_run(path)
    with Ledger(run_dir.ledger) as ledger:
        checkpoints, promotions, stages = ledger.checkpoints(), ledger.promotions(), ledger.stages()
    run = status["run"] or {"name": path.resolve().name, "state": "not started", "rounds": None}
    later = dict.fromkeys(stage["stage"] for stage in stages if stage["round"])
    order = [*dict.fromkeys(stage["stage"] for stage in stages if stage["stage"] not in later), *later]
    done = sorted(
        (stage for stage in stages if stage["manifest"]),
        key=lambda stage: (order.index(stage["stage"]), stage["round"]),
    )
    numbers = [row["round"] for row in status["rounds"]]
    return {
        "name": run["name"],
        "state": run["state"],
        "rounds_wanted": run["rounds"],
        "under_way": [_under_way(stage) for stage in stages if stage["state"] == "running"],
        "rounds": [_round(row, checkpoints) for row in status["rounds"]],
        "funnel": [_funnel(stage) for stage in done if stage["manifest"].get("unit", "row")],
        "scores": [scores for number in numbers if (scores := score_histogram(run_dir, number))],
        "curves": [curve for number in numbers for curve in training_curves(run_dir, number)],
        "costs": [_cost(stage) for stage in done],
        "history": _history(status["events"], promotions),
    }


def _under_way(stage: dict[str, Any]) -> dict[str, Any]:
    done, total = stage["done"], stage["total"]
    seconds = stage["updated"] - stage["started"]
    left = seconds / done * (total - done) if done and total else None
    return {name: stage[name] for name in ("round", "stage", "done", "total", "started")} | {"seconds_left": left}


def _round(row: dict[str, Any], checkpoints: list[Checkpoint]) -> dict[str, Any]:
    checkpoint = next((known for known in checkpoints if known.round == row["round"]), None)
    names = (
        "round",
        "snippets",
        "candidates",
        "selected",
        "mean_lm_score",
        "loss_first",
        "loss_last",
        "promoted",
        "gained",
        "lost",
        "p_worse",
        "reason",
    )
    return {name: row[name] for name in names} | {
        "suites": [_suite(name, metrics) for name, metrics in row["suites"].items()],
        "seconds": row["seconds"],
        "state": checkpoint.state if checkpoint else None,
        "digest": checkpoint.digest if checkpoint else None,
    }


def _suite(name: str, metrics: dict[str, Any]) -> dict[str, Any]:
    rates = metrics["pass_at_k"].get("1") or {"base": None, "plus": None}
    return {
        "suite": name,
        "base": rates["base"],
        "plus": rates["plus"],
        "problems": metrics["problems"],
        "not_measured": metrics["not_measured"],
        "consistency": metrics["self_consistency"],
    }


def _funnel(stage: dict[str, Any]) -> dict[str, Any]:
    manifest = stage["manifest"]
    row = {"round": stage["round"], "stage": stage["stage"], "note": ""}
    if "phases" in manifest["metrics"]:
        row["note"] = ", ".join(f"{phase['rows']} {phase['data']}" for phase in manifest["metrics"]["phases"])
    elif "original_rows" in manifest["metrics"]:
        row["note"] = f"{manifest['metrics']['original_rows']} original rows can be trained on"
    return row | {name: manifest[name] for name in ("rows_in", "rows_out", "rejected")}


def _cost(stage: dict[str, Any]) -> dict[str, Any]:
    return {
        "round": stage["round"],
        "stage": stage["stage"],
        "seconds": stage["manifest"]["seconds"],
        "tokens": stage["manifest"]["tokens"],
    }


def _history(events: list[dict[str, Any]], promotions: list[Promotion]) -> list[dict[str, Any]]:
    rows = [
        {"time": event["time"], "round": event["round"], "kind": "event", "text": event["message"]}
        for event in events[-LATEST_EVENTS:]
    ]
    for move in promotions[-LATEST_EVENTS:]:
        over = "" if move.over is None else f" over round {move.over}"
        done = "promoted" if move.action == "promote" else "rolled back to"
        rows.append(
            {
                "time": move.time,
                "round": move.round,
                "kind": move.action,
                "text": f"{done} round {move.round}{over}, by {move.author}: {move.reason or 'no reason given'}",
            }
        )
    return sorted(rows, key=lambda row: row["time"], reverse=True)

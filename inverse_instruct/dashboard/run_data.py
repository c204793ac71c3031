"""All that the pages show of a run but its rows, as plain JSON values.

Enters: a run directory: ledger, manifests, loss files, score files. Leaves: one mapping. What was not measured is None,
never 0. Not guaranteed: that the parts are of the same instant while the run goes on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inverse_instruct.dashboard.curves import training_curves
from inverse_instruct.dashboard.histograms import score_histogram
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint, Event, Promotion, StageRow
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.measures import SuiteReport
from inverse_instruct.store.run_dir import ANALYSIS_FORMAT, RunDir
from inverse_instruct.store.status import RoundStatus, summarize_run
from inverse_instruct.store.written_rows import finished, written_files

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
    run = status.run
    files = written_files(run_dir, finished(stages))
    later = dict.fromkeys(stage.stage for stage in stages if stage.round)
    order = [*dict.fromkeys(stage.stage for stage in stages if stage.stage not in later), *later]
    done = sorted(
        ((stage.round, stage.manifest) for stage in stages if stage.manifest),
        key=lambda found: (order.index(found[1].stage), found[0]),
    )
    numbers = [row.round for row in status.rounds]
    state = run.state if run else "not started"
    return {
        "name": run.name if run else path.resolve().name,
        "state": state,
        "review": _review(path, done) if state == "waiting" else None,
        "rounds_wanted": run.rounds if run else None,
        "under_way": [_under_way(stage) for stage in stages if stage.state == "running"],
        "rounds": [_round(row, checkpoints) for row in status.rounds],
        "funnel": [_funnel(number, manifest) for number, manifest in done if manifest.unit],
        "scores": [scores for number in numbers if (scores := score_histogram(files, number))],
        "curves": [curve for number in numbers for curve in training_curves(run_dir, number)],
        "costs": [
            {"round": number, "stage": manifest.stage, "seconds": manifest.seconds, "tokens": manifest.tokens}
            for number, manifest in done
        ],
        "history": _history(status.events, promotions),
        "analysis": _analysis(run_dir.analysis),
    }


def _analysis(path: Path) -> dict[str, Any] | None:
    """Return what `analyze` has measured; None: it has not, or the file is damaged, or of another version."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    current = isinstance(found, dict) and found.get("format") == ANALYSIS_FORMAT
    return found if current else None


def _review(path: Path, done: Sequence[tuple[int, Manifest]]) -> dict[str, Any] | None:
    """Return the round whose selected rows wait for a person, and the command that decides about them."""
    number = max((number for number, manifest in done if number and manifest.record == "TrainingRow"), default=None)
    command = f"inverse-instruct review {shlex.quote(str(path))} --round {number}"
    return None if number is None else {"round": number, "command": command}


def _under_way(stage: StageRow) -> dict[str, Any]:
    done, total = stage.done, stage.total
    seconds = stage.updated - stage.started
    left = seconds / done * (total - done) if done and total else None
    return {
        "round": stage.round,
        "stage": stage.stage,
        "done": done,
        "total": total,
        "started": stage.started,
        "seconds_left": left,
    }


def _round(row: RoundStatus, checkpoints: list[Checkpoint]) -> dict[str, Any]:
    checkpoint = next((known for known in checkpoints if known.round == row.round), None)
    names = (
        "round",
        "snippets",
        "candidates",
        "selected",
        "mean_lm_score",
        "discernment",
        "verdicts",
        "loss_first",
        "loss_last",
        "promoted",
        "gained",
        "lost",
        "p_worse",
        "reason",
        "warnings",
    )
    return {name: getattr(row, name) for name in names} | {
        "suites": [_suite(name, report) for name, report in row.suites.items()],
        "seconds": row.seconds,
        "state": checkpoint.state if checkpoint else None,
        "digest": checkpoint.digest if checkpoint else None,
    }


def _suite(name: str, report: SuiteReport) -> dict[str, Any]:
    rates = report.pass_at_1
    return {
        "suite": name,
        "base": asdict(rates.base) if rates else None,
        "plus": asdict(rates.plus) if rates and rates.plus else None,
        "problems": report.problems,
        "not_measured": report.not_measured,
        "consistency": asdict(report.self_consistency) if report.self_consistency else None,
        "solution_loss": asdict(report.solution_loss) if report.solution_loss else None,
    }


def _funnel(round_number: int, manifest: Manifest) -> dict[str, Any]:
    measures, note = manifest.measures, ""
    if measures.phases:
        note = ", ".join(f"{phase.rows} {phase.data}" for phase in measures.phases)
    elif measures.original_rows is not None:
        note = f"{measures.original_rows} original rows can be trained on"
    elif measures.verdicts:
        note = ", ".join(f"{count} {state}" for state, count in measures.verdicts.items())
    return {
        "round": round_number,
        "stage": manifest.stage,
        "unit": manifest.unit,
        "note": note,
        "rows_in": manifest.rows_in,
        "rows_out": manifest.rows_out,
        "rejected": manifest.rejected,
    }


def _history(events: Sequence[Event], promotions: list[Promotion]) -> list[dict[str, Any]]:
    rows = [
        {"time": event.time, "round": event.round, "kind": "event", "text": event.message}
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

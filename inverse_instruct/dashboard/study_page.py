"""The page of a study: its table, and each variant's difference from the baseline with its interval.

Enters: what `study.json` holds. Leaves: one HTML file that needs no script, no connection and nothing beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from inverse_instruct.dashboard.page import STYLES, asset, template
from inverse_instruct.store.files import atomic_write

WIDTH = 320  # of the drawing of the intervals, in its own units


def write_study_page(results: dict[str, Any], output: Path) -> None:
    """Write the page of a study."""
    compared = [row["against"] for row in results["variants"] if row["against"]]
    reach = max((abs(end) for row in compared for end in (row["low"], row["high"])), default=0.0) or 0.01
    suites = list(dict.fromkeys(name for row in results["variants"] for name in row["suites"]))
    page = template("study.html.jinja").render(
        study=results["study"],
        baseline=results["baseline"],
        suites=suites,
        reach=f"{100 * reach:.1f}",
        width=WIDTH,
        styles=Markup(asset(STYLES)),
        rows=[_row(row, suites, reach) for row in results["variants"]],
        claims=[_claim(row) for row in results["claims"]],
    )
    with atomic_write(output) as stream:
        stream.write(page)


def _row(row: dict[str, Any], suites: list[str], reach: float) -> dict[str, Any]:
    return {
        "variant": row["variant"],
        "changes": [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in row["changes"].items()],
        "failure": row["failure"],
        "rows": row["rows"],
        "rates": [_rate(row["suites"].get(suite)) for suite in suites],
        "against": row["against"],
        "places": {name: _place(row["against"][name], reach) for name in ("low", "difference", "high")}
        if row["against"]
        else None,
    }


def _claim(row: dict[str, Any]) -> dict[str, Any]:
    is_loss = row["measure"] == "solution_loss"
    return row | {
        "scale": 1 if is_loss else 100,
        "digits": 4 if is_loss else 1,
        "words": {"pass_at_1": "pass@1", "solution_loss": "loss of the solutions"}.get(row["measure"], row["measure"]),
    }


def _rate(report: dict[str, Any] | None) -> dict[str, Any] | None:
    rates = ((report or {}).get("pass_at_k") or {}).get("1")
    found: dict[str, Any] | None = (rates["plus"] or rates["base"]) if rates else None
    return found


def _place(value: float, reach: float) -> float:
    """Return where a difference lies in the drawing: 0 in the middle, `reach` at its ends."""
    return round(WIDTH / 2 * (1 + 0.95 * value / reach), 1)

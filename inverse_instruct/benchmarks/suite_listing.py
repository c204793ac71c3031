"""Which suites there are, and what of them can be measured on this machine."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, Execution
from evaluation.origins import here_only
from evaluation.suites import SUITES, describe_suite


def list_suites(data: str | None, python: Path | None) -> list[dict[str, Any]]:
    """Return one row per suite as plain values; what is not known is None.

    Args:
        data: folder that holds the suites' files; None: only what ships is looked at.
        python: interpreter of the environment that DS-1000 needs.
    """
    return [_row(name, data, python) for name in SUITES]


def _row(name: str, data: str | None, python: Path | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "suite": name,
        "about": describe_suite(name),
        "version": None,
        "tasks": None,
        "measured": None,
        "note": "",
    }
    try:
        with here_only():  # what is on the hub is named, not asked for
            suite = SUITES[name](None if name == "mini" else data)
    except (BenchmarkError, OSError) as error:  # says which file is wanted, and where that comes from
        return row | {"note": str(error).removeprefix(f"{name}: ")}
    missing = suite.not_measured(Execution(python=python))
    reasons = Counter(missing.values()).most_common(1)
    return row | {
        "version": suite.version,
        "tasks": len(suite.task_ids),
        "measured": len(suite.task_ids) - len(missing),
        "note": reasons[0][0] if reasons else "",
    }


def print_suites(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print the rows for a script or for a person."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        known = "" if row["tasks"] is None else f"{row['measured']} of {row['tasks']} tasks can be measured here"
        print(f"{row['suite']:<30}{row['about']}")
        print(f"{'':<30}{'; '.join(filter(None, [known, row['note']]))}")

"""The report: the dashboard of a run as one HTML file that opens anywhere, with the first rows of each round inside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from inverse_instruct.dashboard.page import report_page, to_json
from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.store.files import atomic_write

ROWS_PER_ROUND = 200
ROW_BYTES = 4_000_000  # of all rounds together


def write_report(path: Path, output: Path) -> None:
    """Write the report of a run to a file.

    Raises:
        RunDirError: the folder holds no run.
    """
    run = collect_run(path)
    numbers = [row["round"] for row in run["rounds"]]
    rows = {str(number): _first_rows(path, number, ROW_BYTES // len(numbers)) for number in numbers}
    data = {"run": run, "rows": rows, "made": time.time()}
    with atomic_write(output) as stream:
        stream.write(report_page(run["name"], data))


def _first_rows(path: Path, round_number: int, room: int) -> dict[str, Any]:
    """Return the first rows of a round, as many as fit into `room` bytes."""
    page = read_page(path, RowQuery(round_number), ROWS_PER_ROUND)
    kept = []
    for row in page["rows"]:
        room -= len(to_json(row))
        if room < 0:
            break
        kept.append(row)
    return page | {"rows": kept, "available": len(kept)}

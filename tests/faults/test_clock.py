"""A clock that jumps back changes no result and no order: durations are monotonic, order is that of writing."""

from __future__ import annotations

import ast
import itertools
import time
from pathlib import Path

import pytest

from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.system.root import ROOT

PACKAGE = ROOT / "inverse_instruct"
READERS = {
    "store/ledger.py": "stamps that persons are shown; order is that of writing",
    "dashboard/report.py": "when a page was made",
    "loop/review.py": "when a person decided, for persons to read",
    "inference/attempts.py": "a Retry-After header may be a date; the wait has an upper limit",
}
"""Where the time of day may be read, and why a jump does no harm."""


def test_the_time_of_day_is_only_written_down() -> None:
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "time.time",
                "time.time_ns",
                "datetime.now",
                "datetime.datetime.now",
                "datetime.utcnow",
            ):
                readers.add(str(path.relative_to(PACKAGE)))
    assert readers <= READERS.keys() and "store/ledger.py" in readers


def test_a_ledger_keeps_the_order_of_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(1_000_000, -3600)  # an hour back with every look at it
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    stages = ["preprocess", "evaluate", "promote"]
    with Ledger(tmp_path / "ledger.db", create=True) as ledger:
        for stage in stages:
            ledger.start_stage(0, stage)
            ledger.add_event(f"{stage} has begun", 0, stage)
            ledger.finish_stage(0, Manifest(stage, "k", 1, 1, seconds=5.0))
        ledger.start_stage(0, "preprocess")  # damaged, and done again
        for number in range(3):
            ledger.add_checkpoint(Checkpoint(number, f"/m{number}", f"d{number}", "", "promoted", "", {}))
        assert [event.message for event in ledger.events()] == [f"{stage} has begun" for stage in stages]
        assert [stage.stage for stage in ledger.stages()] == stages
        assert [move.round for move in ledger.promotions()] == [0, 1, 2]
        promoted, predecessor = ledger.promoted(), ledger.predecessor()
    assert promoted and predecessor and (promoted.round, predecessor.round) == (2, 1)

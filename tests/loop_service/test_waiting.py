"""A run that waits for a person has not failed: the service says so, and plays the next one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from inverse_instruct.loop_service import runner
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.runner import RunPlayer


@pytest.mark.parametrize(
    ("label", "code", "ended"), [("waiting", 3, "waiting"), ("error", 1, "failed"), ("error", 2, "failed")]
)
def test_how_a_run_ended_is_told_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, code: int, ended: str
) -> None:
    program = f"import sys; print('{label}: round 1: look', file=sys.stderr); sys.exit({code})"
    monkeypatch.setattr(runner, "_command", lambda run_dir: [sys.executable, "-c", program])
    queue = RunQueue(tmp_path / "queue.json")
    queue.want("mine", submitted=False)

    player = RunPlayer(tmp_path, queue, Allowed())
    asyncio.run(player._play("mine"))
    found = queue.get("mine")
    assert found and (found.ended, found.reason, found.wanted) == (ended, "round 1: look", "stopped")

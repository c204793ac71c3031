"""A training process that dies: the whole group is ended, and all start again from the last step checkpoint."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import WorkerLostError
from inverse_instruct.inference.models import model_digest
from inverse_instruct.stages.train import MAX_DEATHS, PhaseRun
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import write_rows
from inverse_instruct.system.supervisor import descendants
from tests.faults.harness import RANK, is_alive, lines, runs, wait_until
from tests.playing import train_on

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]
STEPS = 12
GROUP_ENDS_SECONDS = 20.0  # the launcher looks every second, the supervisor gives ten to end in order
GOES_ON_SECONDS = 90.0  # most of it for imports


def ranks() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if runs(pid, RANK)]


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Manifest]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names = ("id", "language", "snippet_id", "candidate_id", "row_id", "source", "model")
    rows: list[dict[str, Any]] = [
        dict.fromkeys(names, "x")
        | {
            "instruction": f"Add {n}.",
            "response": f"def add_{n}(x): return x + {n}",
            "round": 0,
            "lm_score": None,
            "line": n,
        }
        for n in range(2 * STEPS)
    ]
    write_rows(tmp_path / "rows.parquet", rows)

    def begin(name: str, processes: int) -> Manifest:
        section = TrainSection(
            optimizer="adamw",
            learning_rate=1e-3,
            dtype="float32",
            global_batch_size=2,
            micro_batch_size=1,
            max_length=128,
            save_steps=2,
            processes=processes,
        )
        return train_on(
            tiny_model, [PhaseRun("selected", [tmp_path / "rows.parquet"], 1, 1e-3)], tmp_path / name, train=section
        )

    return begin


def test_one_of_two_ranks_dies(
    start: Callable[..., Manifest], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = start("whole", 2)
    results: list[Manifest] = []
    thread = threading.Thread(target=lambda: results.append(start("killed", 2)))
    thread.start()
    losses = tmp_path / "killed/train/phase-0-selected/loss.jsonl"
    assert wait_until(lambda: len(lines(losses)) >= 5, 120) is not None
    group = ranks()
    assert len(group) == 2
    os.kill(group[1], signal.SIGKILL)
    killed, done = time.monotonic(), len(lines(losses))
    assert wait_until(lambda: not any(map(is_alive, group)), GROUP_ENDS_SECONDS) is not None
    ended = time.monotonic() - killed
    assert wait_until(lambda: len(lines(losses)) > done, GOES_ON_SECONDS) is not None
    print(f"\nthe group was gone after {ended:.1f} s, the next step came after {time.monotonic() - killed:.1f} s")
    thread.join()
    assert "a process died, so all were ended" in caplog.text
    [result], [expected] = results[0].metrics["phases"], whole.metrics["phases"]
    assert result["losses"] == expected["losses"] and result["steps"] == STEPS
    assert model_digest(tmp_path / "killed/checkpoint") == model_digest(tmp_path / "whole/checkpoint")


def test_a_group_that_dies_again_and_again_is_given_up(start: Callable[..., Manifest]) -> None:
    killed: set[int] = set()
    over = threading.Event()

    def kill_all() -> None:
        while not over.wait(0.05):
            for pid in set(ranks()) - killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        with pytest.raises(WorkerLostError, match="a process was killed; if nobody did that, the memory did not"):
            start("given up", 1)
    finally:
        over.set()
        killer.join()
    assert len(killed) == MAX_DEATHS

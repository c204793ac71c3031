"""The bar follows the loss lines, also those of an earlier attempt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.store.progress import Progress
from inverse_instruct.training.loss_bar import TrainingProgress


def test_steps_are_told_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inverse_instruct.store.progress.RECORD_INTERVAL_SECONDS", 0.0)
    losses, told = tmp_path / "loss.jsonl", []
    line = json.dumps({"step": 1, "loss": 2.0, "tokens": 10, "seconds": 0.5}) + "\n"
    losses.write_text(line * 2)
    counted = Progress("train", "step", lambda done, steps: told.append((done, steps)), shown=False)
    progress = TrainingProgress("train", losses, 5, counted)
    with losses.open("a") as stream:
        stream.write(line + line[:7])  # the last one is half written
    progress.refresh()
    progress.refresh()
    assert told == [(0, 5), (2, 5), (3, 5)]
    with losses.open("a") as stream:
        stream.write(line[7:])
    progress.close()
    assert told == [(0, 5), (2, 5), (3, 5), (4, 5)]

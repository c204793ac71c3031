"""When step checkpoints are asked for: by steps, or by the first rank's clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from transformers import TrainerControl, TrainerState

from inverse_instruct.training.batches import BatchPlan
from inverse_instruct.training.sequences import Sequences
from inverse_instruct.training.trainer import StepRecorder


class Arguments:
    device = torch.device("cpu")


def asked_at(
    save_steps: int, save_minutes: float | None, minutes_a_step: float, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Return the steps of nine after which a checkpoint is asked for."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, rank: None)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    plan = BatchPlan(np.array([1] * 9), global_batch_size=1, micro_batch_size=1, ranks=1, epochs=1, seed=0)
    recorder = StepRecorder(Path("none"), cast(Sequences, None), plan, save_steps, save_minutes)
    steps = []
    for step in range(1, 10):
        now[0] += 60 * minutes_a_step
        state = TrainerState(global_step=step, is_world_process_zero=False)
        if recorder.on_step_end(Arguments(), state, TrainerControl()).should_save:
            steps.append(step)
            recorder.on_save(Arguments(), state, TrainerControl())
    return steps


@pytest.mark.parametrize(("save_steps", "steps"), [(2, [2, 4, 6, 8]), (3, [3, 6]), (9, []), (100, [])])
def test_by_steps_and_never_after_the_last(save_steps: int, steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_at(save_steps, None, 1, monkeypatch) == steps


@pytest.mark.parametrize(
    ("minutes_a_step", "steps"), [(1, [3, 6]), (2, [2, 4, 6, 8]), (0.1, []), (5, list(range(1, 9)))]
)
def test_by_time_whatever_the_steps(minutes_a_step: float, steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_at(1, 3, minutes_a_step, monkeypatch) == steps

"""Training curves from the loss files of a round, also while it trains."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from inverse_instruct.store.losses import read_losses
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.training.job import PhaseFolder

MAX_POINTS = 600


def training_curves(run_dir: RunDir, round_number: int) -> list[dict[str, Any]]:
    """Return a curve per phase in the order of training; long ones are thinned to about `MAX_POINTS` steps.

    Losses are in nats per response token; `lr` is the learning rate.
    """
    curves = []
    for folder in sorted(run_dir.round(round_number).glob("*/phase-*")):
        losses = PhaseFolder(folder).losses
        if losses.is_file():
            points = _points(losses, losses.stat().st_mtime_ns, losses.stat().st_size)
            _, number, data = folder.name.split("-", 2)
            curves.append({"round": round_number, "phase": int(number), "data": data, **points})
    return curves


@lru_cache(maxsize=256)
def _points(path: Path, changed: int, size: int) -> dict[str, Any]:
    lines = read_losses(path)
    every = -(-len(lines) // MAX_POINTS) or 1
    kept = [line for number, line in enumerate(lines) if number % every == 0 or number == len(lines) - 1]
    return {
        "steps": len(lines),
        "every": every,
        **{name: [line[name] for line in kept] for name in ("step", "loss", "lr", "grad_norm")},
    }

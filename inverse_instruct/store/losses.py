"""The loss curve of a training phase: one line of JSON for each optimizer step."""

from __future__ import annotations

import json
from pathlib import Path

from inverse_instruct.store.files import atomic_write


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the lines of a loss file; a torn last line is left out."""
    return [json.loads(line) for line in loss_lines(path)]


def loss_lines(path: Path) -> list[bytes]:
    """Return the lines of a loss file as they are, whole ones only."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []  # one line for each step, from step 1


def cut_losses(path: Path, step: int) -> None:
    """Leave the lines up to a step."""
    with atomic_write(path, "wb") as stream:
        stream.writelines(line + b"\n" for line in loss_lines(path)[:step])

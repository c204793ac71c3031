"""Checkpoints within a phase: which are complete, which one to go on from, and the loss curve that belongs to it.

DeepSpeed writes a checkpoint as many files over some time, so a kill can leave half of one. A checkpoint counts only
with a marker, written last, that lists every file with its size. Guaranteed: what `newest_complete` returns was saved
whole by the same number of ranks. Not guaranteed: resuming with another number of ranks; such a phase starts anew.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from inverse_instruct.run_dir import atomic_write, write_json

MARKER = "complete.json"

logger = logging.getLogger(__name__)


def step_of(checkpoint: Path) -> int:
    """Return the number of optimizer steps behind a checkpoint (`checkpoint-N`)."""
    return int(checkpoint.name.rpartition("-")[2])


def mark_complete(checkpoint: Path, ranks: int) -> None:
    """Mark a checkpoint as whole, then remove the older ones; called by one rank when all have written their part."""
    write_json(checkpoint / MARKER, {"ranks": ranks, "files": _sizes(checkpoint)})
    for other in _checkpoints(checkpoint.parent):
        if step_of(other) < step_of(checkpoint):
            shutil.rmtree(other)


def newest_complete(folder: Path, ranks: int) -> Path | None:
    """Return the newest usable checkpoint in a folder and remove all others."""
    chosen: Path | None = None
    for checkpoint in sorted(_checkpoints(folder), key=step_of, reverse=True):
        if chosen is None and _is_complete(checkpoint, ranks):
            chosen = checkpoint
        else:
            shutil.rmtree(checkpoint)
    return chosen


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the lines of a loss file; a torn last line is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def cut_losses(path: Path, step: int) -> None:
    """Drop the lines behind a step, so that the curve goes on from there without duplicates."""
    kept = [line for line in read_losses(path) if line["step"] <= step]
    with atomic_write(path) as stream:
        stream.writelines(json.dumps(line) + "\n" for line in kept)


def _checkpoints(folder: Path) -> list[Path]:
    return list(folder.glob("checkpoint-*"))


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = [path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARKER]
    return {str(path.relative_to(checkpoint)): path.stat().st_size for path in files}


def _is_complete(checkpoint: Path, ranks: int) -> bool:
    try:
        marker = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if marker["ranks"] != ranks:
        logger.warning("%s was written by %d ranks, not %d: the phase starts anew", checkpoint, marker["ranks"], ranks)
        return False
    return _sizes(checkpoint) == dict(marker["files"])

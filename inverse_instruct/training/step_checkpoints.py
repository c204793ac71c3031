"""Checkpoints within a phase: which are complete, which one to go on from, and the loss curve that belongs to it.

DeepSpeed writes a checkpoint as many files over some time, so a kill can leave half of one. A checkpoint counts only
with a marker, written last, that lists the SHA-256 of every file and of the loss curve up to there. Guaranteed: what
`newest_complete` returns is as it was saved, by the same number of ranks, and so is the curve. Not guaranteed: resuming
with another number of ranks or from a damaged checkpoint, which is named; such a phase starts anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inverse_instruct.store.files import changed_files, file_digest, flush, write_json
from inverse_instruct.store.losses import cut_losses, loss_lines

MARKER = "complete.json"

logger = logging.getLogger(__name__)


def step_of(checkpoint: Path) -> int:
    """Return the number of optimizer steps behind a checkpoint (`checkpoint-N`)."""
    return int(checkpoint.name.rpartition("-")[2])


def mark_complete(checkpoint: Path, ranks: int, losses: Path) -> None:
    """Mark a checkpoint as whole, then remove the older ones; called by one rank when all have written their part.

    Args:
        checkpoint: folder of the checkpoint.
        ranks: how many have written it.
        losses: the loss lines up to this step.
    """
    paths = _files(checkpoint)
    with ThreadPoolExecutor() as pool:  # the ranks wait meanwhile, and one thread is slower than a disk
        digests = pool.map(file_digest, paths)
    files = {str(path.relative_to(checkpoint)): digest for path, digest in zip(paths, digests, strict=True)}
    for path in [losses, *_files(checkpoint), *(path for path in checkpoint.rglob("*") if path.is_dir()), checkpoint]:
        flush(path)  # the older checkpoints go once the marker is there, and a power cut must not find it alone
    write_json(checkpoint / MARKER, {"ranks": ranks, "files": files, "losses": file_digest(losses)})
    flush(checkpoint)
    for other in _checkpoints(checkpoint.parent):
        if step_of(other) < step_of(checkpoint):
            shutil.rmtree(other)


def newest_complete(folder: Path, ranks: int, losses: Path) -> Path | None:
    """Return the newest usable checkpoint in a folder; remove all others and the loss lines behind it."""
    chosen: Path | None = None
    for checkpoint in sorted(_checkpoints(folder), key=step_of, reverse=True):
        if chosen is None and _is_complete(checkpoint, ranks, losses):
            chosen = checkpoint
        else:
            shutil.rmtree(checkpoint)
    cut_losses(losses, step_of(chosen) if chosen else 0)
    return chosen


def _checkpoints(folder: Path) -> list[Path]:
    return list(folder.glob("checkpoint-*"))


def _files(checkpoint: Path) -> list[Path]:
    return [path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARKER]


def _is_complete(checkpoint: Path, ranks: int, losses: Path) -> bool:
    if not (checkpoint / MARKER).exists():
        return False  # killed while it was written
    try:
        marker = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        files, written_by, curve = dict(marker["files"]), int(marker["ranks"]), marker["losses"]
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("%s is damaged: the phase starts anew", checkpoint / MARKER)
        return False
    owner = losses.parent.stat().st_uid
    strangers = [path for path in (checkpoint, *_files(checkpoint)) if path.stat().st_uid != owner]
    if strangers:  # loading a pickle runs what its writer wants
        logger.warning("%s belongs to another user than the run and is not loaded: the phase starts anew", strangers[0])
        return False
    if written_by != ranks:
        logger.warning("%s was written by %d ranks, not %d: the phase starts anew", checkpoint, written_by, ranks)
        return False
    changed = changed_files(checkpoint, files)
    changed += sorted({str(path.relative_to(checkpoint)) for path in _files(checkpoint)} - files.keys())
    for name in changed:  # never loaded: they are pickles
        logger.warning(
            "%s is damaged: its SHA-256 is not the one that was written; the phase starts anew", checkpoint / name
        )
    lines = b"".join(line + b"\n" for line in loss_lines(losses)[: step_of(checkpoint)])
    if hashlib.sha256(lines).hexdigest() != curve:
        logger.warning(
            "%s is damaged: it is not what was written up to step %d; the phase starts anew",
            losses,
            step_of(checkpoint),
        )
        return False
    return not changed

"""From a phase's export to the checkpoint that the rest of the run uses: whole or absent."""

from __future__ import annotations

import shutil
from pathlib import Path

from inverse_instruct.errors import TrainingError
from inverse_instruct.store.files import flush, link_or_copy, write_json

MARKER = "training.json"  # in every checkpoint of ours


def check_target(checkpoint: Path) -> None:
    """Refuse a folder that holds something else than a checkpoint of ours.

    Raises:
        TrainingError: it does, or it is a file.
    """
    if checkpoint.is_file() or (
        checkpoint.is_dir() and any(checkpoint.iterdir()) and not (checkpoint / MARKER).is_file()
    ):
        raise TrainingError(
            f"{checkpoint} exists and is not a checkpoint of this training; choose another path or remove it yourself"
        )


def publish(export: Path, checkpoint: Path, key: str) -> list[Path]:
    """Make a checkpoint out of an export, in place of an unfinished or older one; return its files.

    Files are linked where the file system can, so that no second copy of the weights is needed.
    """
    check_target(checkpoint)
    temporary, old = (checkpoint.with_name(f".{checkpoint.name}.{ending}") for ending in ("tmp", "old"))
    for left in (temporary, old):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(export, temporary, copy_function=link_or_copy)
    write_json(temporary / MARKER, {"key": key})
    names = sorted(path.name for path in temporary.iterdir())
    for name in names:
        flush(temporary / name)
    if checkpoint.exists():
        checkpoint.rename(old)  # at once, so that no kill leaves half of it
    temporary.rename(checkpoint)
    flush(checkpoint.parent)
    shutil.rmtree(old, ignore_errors=True)
    return [checkpoint / name for name in names]

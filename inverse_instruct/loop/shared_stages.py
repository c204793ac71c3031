"""Stages that another run has finished with the same key: their files are taken over instead of being made again.

A key holds all that a stage's result depends on, so equal keys mean equal rows, whichever run made them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from inverse_instruct.store.files import link_or_copy
from inverse_instruct.store.manifest import MANIFEST, Manifest, read_manifest
from inverse_instruct.store.run_dir import RunDir


def take_over(own: RunDir, others: Sequence[RunDir], round_number: int, stage: str, key: str) -> Manifest | None:
    """Return the manifest of a stage that one of the other runs has finished in the same round, or None.

    Its files are linked into the own run in place of what is there, the manifest last; nobody writes a file of a
    finished stage in place, so the runs do not disturb each other.
    """
    for other in others:
        folder = other.stage(round_number, stage)
        if manifest := read_manifest(folder, key):
            _link(folder, own, own.stage(round_number, stage), [*manifest.outputs, MANIFEST], round_number)
            return manifest
    return None


def _link(source: Path, own: RunDir, target: Path, names: Sequence[str], round_number: int) -> None:
    paths = {name: Path(os.path.normpath(target / name)) for name in names}  # a checkpoint lies beside the stages
    checkpoint = own.checkpoint(round_number)
    for folder in {target} | {checkpoint for path in paths.values() if path.is_relative_to(checkpoint)}:
        shutil.rmtree(folder, ignore_errors=True)
    for name, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source / name, path)

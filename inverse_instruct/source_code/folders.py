"""The files in a folder, however deep it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from inverse_instruct.errors import CorpusError


def files_in(folder: Path, skipped: Collection[str] = ()) -> Iterator[Path]:
    """Yield the files in a folder in the order of their names, without links and what is hidden.

    Args:
        folder: it and all folders in it are gone through.
        skipped: names of folders that are not.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    waiting = _entries(folder)
    while waiting:
        entry = waiting.pop()
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False) and entry.name not in skipped:
            waiting += _entries(entry)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        raise CorpusError(
            f"{os.fspath(folder)}: cannot be listed ({error.strerror}); make it readable, or move it away"
        ) from error

"""What a value of a config names, by its content: what changes when a file or a folder changes."""

from __future__ import annotations

from pathlib import Path

from inverse_instruct.records import digest
from inverse_instruct.source_code.repository import head_of
from inverse_instruct.source_code.row_paths import is_pattern, pattern_folder, pattern_paths, row_paths
from inverse_instruct.source_code.source_files import source_paths
from inverse_instruct.store.files import file_digest


def fingerprint(path: Path) -> str:
    """Return what changes when the content of a file, or of the files of a folder or a pattern, changes.

    Returns:
        "" for what names no such file, as a data set on the hub does.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    if path.is_file():
        return file_digest(path)
    folder, files = path, set[Path]()
    if path.is_dir():
        files = {*source_paths(path), *row_paths(path)}
    elif is_pattern(str(path)):
        folder, files = pattern_folder(str(path)), set(pattern_paths(str(path)))
    states = [(file.relative_to(folder).as_posix(), file.stat()) for file in sorted(files)]
    return digest(*(f"{name}:{state.st_size}:{state.st_mtime_ns}" for name, state in states)) if states else ""


def content_of(name: str) -> str:
    """Return the fingerprint of what a value of a config names, or the name itself where that is no file here."""
    return fingerprint(Path(name)) or name


def head_commit(name: str) -> str:
    """Return the commit that a git repository stands at.

    Raises:
        CorpusError: it is none.
    """
    return head_of(Path(name)).commit

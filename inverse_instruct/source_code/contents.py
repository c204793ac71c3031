"""What a value of a config names, by its content: what changes when a file or a folder changes."""

from __future__ import annotations

from pathlib import Path

from inverse_instruct.records import digest
from inverse_instruct.source_code.repository import head_of
from inverse_instruct.source_code.source_files import source_paths
from inverse_instruct.store.files import file_digest


def fingerprint(path: Path) -> str:
    """Return what changes when the content of a file or folder of rows changes; "" for a data set on the hub.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    if path.is_file():
        return file_digest(path)
    states = [(source, source.stat()) for source, _ in source_paths(path)] if path.is_dir() else []
    return digest(*(f"{source}:{state.st_size}:{state.st_mtime_ns}" for source, state in states)) if states else ""


def content_of(name: str) -> str:
    """Return the fingerprint of what a value of a config names, or the name itself where that is no file here."""
    return fingerprint(Path(name)) or name


def head_commit(name: str) -> str:
    """Return the commit that a git repository stands at.

    Raises:
        CorpusError: it is none.
    """
    return head_of(Path(name)).commit

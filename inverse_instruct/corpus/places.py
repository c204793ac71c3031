"""The files that a source of the corpus stands for, and whether they are there.

Enters: a `CorpusSource`. Leaves: its files one after the other, each known to hold rows or source code by its name; or
a `CorpusError` that says what is missing. Where a folder or a pattern has source code and rows, it stands for the code,
unless the source says how its rows are to be read. Not guaranteed: anything for what is in the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.corpus.saved_data_sets import is_saved, saved_files
from inverse_instruct.errors import CorpusError
from inverse_instruct.source_code.row_paths import (
    is_pattern,
    is_row_file,
    pattern_folder,
    pattern_paths,
    row_paths,
)
from inverse_instruct.source_code.source_files import is_source_file, source_paths
from inverse_instruct.system.hub import hub_problem, is_hub_name

if TYPE_CHECKING:
    from inverse_instruct.config.corpus_source import CorpusSource


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file of a source."""

    path: Path
    name: str  # as its rows call it: relative to the source's folder
    is_code: bool  # source code or a notebook, and not rows


def is_on_hub(path: str) -> bool:
    """Tell whether the path of a source is the name of a data set on the hub."""
    return is_hub_name(path) and not Path(path).exists()


def check_there(source: CorpusSource) -> None:
    """See that what a source names is there: here, or on the hub, which is given some seconds to answer.

    Raises:
        CorpusError: it is not.
    """
    path = Path(source.path)
    try:
        there, elsewhere = path.exists() or is_pattern(source.path), is_on_hub(source.path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if elsewhere:
        if problem := hub_problem(source.path, "dataset"):  # to read from it would try for half a minute
            raise CorpusError(problem)
    elif not there:
        raise CorpusError(f"{path} does not exist (no such file); paths are relative to the config's folder")


def find_files(source: CorpusSource) -> Iterator[CorpusFile]:
    """Return the files of a source that is not on the hub, in the order of their names.

    Raises:
        CorpusError: there is none, or a folder cannot be listed.
        OSError: no file system takes the name.
    """
    path = Path(source.path)
    may_be_code = source.format in ("auto", "code") and source.fields is None and not source.where
    if is_pattern(source.path):
        folder, found = pattern_folder(source.path), pattern_paths(source.path)
        if not found:
            raise CorpusError(f"{path}: no file matches; check the pattern")
        code, rows = (iter([*filter(kind, found)]) for kind in (is_source_file, is_row_file))
    elif path.is_dir():
        if is_saved(path):
            return (CorpusFile(file, _name(file, path), False) for file in saved_files(path, source.split))
        folder, code, rows = path, source_paths(path), row_paths(path)
    else:
        return iter([CorpusFile(path, path.name, may_be_code and path.is_file() and is_source_file(path))])
    for paths, is_code in ((code, True), (rows, False)):
        first = next(paths, None) if may_be_code or not is_code else None
        if first is not None:
            return (CorpusFile(file, _name(file, folder), is_code) for file in chain([first], paths))
    if may_be_code:
        raise CorpusError(
            f"{path}: holds no source file of a language that we know, and no file of rows; give a folder of "
            "either, or name a file of rows itself"
        )
    raise CorpusError(
        f"{path}: holds no file of rows, which the source asks for by its format, `fields` or `where`; leave these out "
        "to read source code"
    )


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()

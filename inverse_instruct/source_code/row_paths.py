"""Which files of rows a folder or a pattern stands for.

Enters: a folder, or a pattern such as `data/train-*.parquet`. Leaves: paths in the order of their names; what is told
of a file is told by its name alone. Links in a folder are skipped, and so are those that lead out of the folder that a
pattern begins with. Not guaranteed: that a file holds what its name says.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from inverse_instruct.source_code.folders import files_in

COMPRESSED = (".gz", ".xz", ".zst")
_TEXT = (".jsonl", ".json", ".csv", ".tsv")  # these may be compressed
_COLUMNS = (".parquet", ".arrow")
_ABOUT_DATA_SETS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}


def unpacked_name(path: Path) -> str:
    """Return the name that a file has when it is unpacked, in lower case."""
    name = path.name.lower()
    return name.removesuffix(path.suffix.lower()) if path.suffix.lower() in COMPRESSED else name


def is_row_file(path: Path) -> bool:
    """Tell whether the name of a file is one of a file of rows."""
    return unpacked_name(path).endswith(_TEXT) or path.suffix.lower() in _COLUMNS


def row_paths(folder: Path) -> Iterator[Path]:
    """Yield the files of rows in a folder; what a data set keeps about itself is not of them, nor are hidden files.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    return (path for path in files_in(folder) if is_row_file(path) and path.name not in _ABOUT_DATA_SETS)


def is_pattern(name: str) -> bool:
    """Tell whether a name stands for the files whose paths match it; one with `*`, `?` or `[` that is there does not.

    Raises:
        OSError: no file system takes the name.
    """
    return glob.has_magic(name) and not Path(name).exists()


def pattern_folder(pattern: str) -> Path:
    """Return the folder that a pattern begins with, such as `data` of `data/*/train-*.parquet`."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))


def pattern_paths(pattern: str) -> list[Path]:
    """Return the files whose paths match a pattern; `**` stands for any folders."""
    folder = pattern_folder(pattern).resolve()
    found = map(Path, glob.glob(pattern, recursive=True))
    return sorted(path for path in found if path.is_file() and path.resolve().is_relative_to(folder))

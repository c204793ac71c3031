"""Folders that `save_to_disk` of the library datasets wrote, one split or several, as the files of their rows.

Enters: a folder. Leaves: the Arrow files that its `state.json` names, which are read as they are: nothing that the
folder says about formats or code is followed, and no name leads out of it. Not guaranteed: that a split is as long as
its `dataset_info.json` says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inverse_instruct.errors import CorpusError

_SPLIT = "state.json"
_ABOUT = "dataset_info.json"
_SPLITS = "dataset_dict.json"
_SAVE_AGAIN = "save the data set again"


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is a saved data set, of one split or of several."""
    return (folder / _SPLITS).is_file() or all((folder / name).is_file() for name in (_SPLIT, _ABOUT))


def saved_files(folder: Path, split: str | None) -> list[Path]:
    """Return the files of a split, in order.

    Args:
        folder: a saved data set.
        split: its name; None: the only one.

    Raises:
        CorpusError: the split is not there or not told, or what the folder says of itself is damaged.
    """
    if not (folder / _SPLITS).is_file():
        state = _read(folder / _SPLIT)
        if split not in (None, state.get("_split")):
            raise CorpusError(f"{folder}: is one split by itself, and not {split!r}; leave out `split`")
        return _files(folder, state)
    there = _read(folder / _SPLITS).get("splits")
    if not isinstance(there, list) or not there or not all(map(_is_plain, there)):
        raise CorpusError(f"{folder / _SPLITS}: names no splits; {_SAVE_AGAIN}")
    if split is None and len(there) > 1:
        raise CorpusError(f"{folder}: has the splits {', '.join(there)}; name one with `split`, or give its folder")
    wanted = there[0] if split is None else split
    if wanted not in there:
        raise CorpusError(f"{folder}: has no split {wanted!r}, but {', '.join(there)}; name one of these with `split`")
    return _files(folder / wanted, _read(folder / wanted / _SPLIT))


def _files(folder: Path, state: dict[str, Any]) -> list[Path]:
    files = state.get("_data_files")
    names = [file.get("filename") if isinstance(file, dict) else None for file in files or ()]
    if not isinstance(files, list) or not all(map(_is_plain, names)):
        raise CorpusError(f"{folder / _SPLIT}: does not name the files of rows; {_SAVE_AGAIN}")
    paths = [folder / str(name) for name in names]
    if lacking := [path for path in paths if not path.is_file()]:
        raise CorpusError(f"{lacking[0]}: is named by {_SPLIT} and is not there; fetch it, or {_SAVE_AGAIN}")
    if not paths:
        raise CorpusError(f"{folder}: holds no rows; check that it is the right data set")
    return paths


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); {_SAVE_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: is not JSON ({error}); {_SAVE_AGAIN}") from error
    if not isinstance(value, dict):
        raise CorpusError(f"{path}: is no JSON object; {_SAVE_AGAIN}")
    return value


def _is_plain(name: object) -> bool:
    """Tell whether a name is one of a file in the folder itself."""
    return isinstance(name, str) and name == Path(name).name and name not in ("", ".", "..")

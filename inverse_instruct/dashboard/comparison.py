"""Runs of one folder side by side: their measures by round, and where their configs differ.

Enters: a run directory, and names of runs beside it. Leaves: plain JSON values. Not guaranteed: that a difference of
two rates is more than luck; `inverse-instruct compare` and a study tell that, problem by problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.errors import RequestError, RunDirError
from inverse_instruct.store.run_dir import RunDir

MAX_COMPARED = 8  # runs on one page
NOT_SET = object()


def list_runs(path: Path) -> list[str]:
    """Return the names of the runs in the folder that a run is in, its own among them."""
    names = (ledger.parent.name for ledger in path.resolve().parent.glob("*/ledger.db"))
    return sorted(name for name in names if not name.startswith("."))


def compare_runs(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the runs there are, and those asked for with their measures and differing fields.

    Args:
        path: a run directory; the others are beside it.
        names: of the runs to compare.

    Raises:
        RequestError: there is no such run beside it, or there are too many.
        RunDirError: a ledger or a config cannot be read.
    """
    known = list_runs(path)
    names = list(dict.fromkeys(names))
    if unknown := [name for name in names if name not in known]:
        raise RequestError(f"there is no run {unknown[0]!r} beside this one; there are: {', '.join(known)}")
    if len(names) > MAX_COMPARED:
        raise RequestError(f"{len(names)} runs are too many for one page; choose up to {MAX_COMPARED}")
    folders = [path.resolve().parent / name for name in names]
    runs = [collect_run(folder) for folder in folders]
    return {
        "own": path.resolve().name,
        "known": known,
        "runs": [
            {"folder": name} | {key: run[key] for key in ("name", "state", "rounds")}
            for name, run in zip(names, runs, strict=True)
        ],
        "fields": _differing([_config(folder) for folder in folders]),
    }


def _config(folder: Path) -> dict[str, Any]:
    """Return the fields of a run's config, each by its whole key."""
    path = RunDir(folder).config
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunDirError(f"{path}: cannot be read ({error})") from error
    return dict(_flat("", values))


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    is_list = isinstance(value, list) and any(isinstance(part, dict) for part in value)
    parts = enumerate(value) if is_list else value.items() if isinstance(value, dict) else ()
    if parts and value:
        for name, part in parts:
            yield from _flat(f"{key}.{name}" if key else str(name), part)
    else:
        yield key, value


def _differing(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the fields that are not the same everywhere; None where a run's config does not have one."""
    keys = dict.fromkeys(key for config in configs for key in config)
    rows = [(key, [config.get(key, NOT_SET) for config in configs]) for key in keys]
    return [
        {"key": key, "values": [None if value is NOT_SET else _in_words(value) for value in values]}
        for key, values in rows
        if any(value != values[0] for value in values)
    ]


def _in_words(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True).removesuffix("\n...\n").strip()
    )

"""What an evaluation on files was asked, kept beside its results: another one never takes their place unseen.

Enters: the folder of one suite in `--output`, and what is to be measured there. Leaves: `asked.json`, or a refusal that
names what is different. Not guaranteed: that equal questions get equal replies; see the journals for that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inverse_instruct.errors import StageError
from inverse_instruct.store.files import write_json

ASKED = "asked.json"
REMEDY = "name another --output, or remove this folder to begin anew"


def pin_evaluation(folder: Path, asked: Mapping[str, Any]) -> None:
    """Write down what is asked, or see that it is what was asked before.

    Args:
        folder: of the suite.
        asked: plain values, as JSON gives them back, under names that a person knows.

    Raises:
        StageError: something else was asked before.
    """
    before = _read(folder / ASKED)
    if before is None:
        if (folder / "results.jsonl").exists():
            raise StageError(f"{folder} holds results, and nothing that says of what; {REMEDY}")
        write_json(folder / ASKED, dict(asked))
        return
    names = [name for name in {**before, **asked} if before.get(name) != asked.get(name)]
    if names:
        raise StageError(
            "\n".join(
                [
                    f"{folder} holds another evaluation; {REMEDY}",
                    *(f"  {name}: {_brief(before.get(name))} then, {_brief(asked.get(name))} now" for name in names),
                ]
            )
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _brief(value: Any) -> str:
    if not isinstance(value, list):
        return "not set" if value is None else str(value)
    return f"{len(value)} ({', '.join(map(str, value[:2]))}{' ...' if len(value) > 2 else ''})"

"""What a person has decided about the selected rows of a round: `review.json` in the folder of the stage that waits.

Enters: a decision. Leaves: a file that appears whole or not at all, and is read back. It is about the very rows that
the person has seen, whose digest it holds; of others nothing is decided.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.files import write_json

FILE = "review.json"


@dataclass(frozen=True)
class Review:
    """A decision of a person."""

    rows: str  # SHA-256 of the file of the rows that it is about
    left_out: tuple[str, ...]  # their candidates' ids, or their own where nothing competed; in order
    author: str
    reason: str
    time: float  # seconds since 1970


def write_review(folder: Path, review: Review) -> None:
    """Write down a decision, in the place of an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, asdict(review))


def read_review(folder: Path) -> Review | None:
    """Return the decision that is there; None: there is none yet.

    Raises:
        RunDirError: it is damaged.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Review(**values | {"left_out": tuple(map(str, values["left_out"]))})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove it, and decide again") from error

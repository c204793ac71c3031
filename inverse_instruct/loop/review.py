"""A person's decision about the selected rows of a round, for which a run with `selection.review: wait` waits.

Enters: a run directory and the ids of rows. Leaves: the decision, which the next start of the run goes on with, and an
event. A decision is refused once the round has begun to train on another one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.config_file import load_config
from inverse_instruct.errors import RunDirError
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.records import TrainingRow
from inverse_instruct.stages.review import REVIEW
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.review import Review, read_review, write_review
from inverse_instruct.store.rows import iterate_rows
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class Reviewed:
    """What was decided."""

    round: int
    rows: int  # selected ones
    left_out: int


def review_rows(
    path: Path, left_out: Sequence[str], *, author: str, reason: str, number: int | None = None
) -> Reviewed:
    """Write down which selected rows of a round are left out; none accepts them all.

    Args:
        path: the run directory.
        left_out: ids of rows, as the dashboard shows them.
        author: who decides.
        reason: why, for the record; may be empty.
        number: the round; None: the last one that has selected rows.

    Raises:
        RunDirError: the run is being played, waits for nothing, or trains on another decision already; or a row is not
            there, or none would be left.
    """
    run_dir = RunDir(path)
    with Ledger(run_dir.ledger) as ledger, run_dir.lock():
        config = load_config(run_dir.config)
        if config.selection.review != "wait":
            raise RunDirError(f"{path} waits for no review; start it with `--set selection.review=wait`")
        number, selected = _selected(run_dir, config.rounds, number)
        file = run_dir.stage(number, selected.stage) / selected.kept
        names = [row.name for row in iterate_rows(file, TrainingRow)]
        if unknown := sorted(set(left_out) - set(names)):
            raise RunDirError(f"round {number} has no selected row {', '.join(unknown)}; {file} has those there are")
        chosen = tuple(name for name in names if name in set(left_out))
        if len(chosen) == len(names):
            raise RunDirError(f"round {number} would have no row left to train on; leave some in")
        folder = run_dir.stage(number, REVIEW.name)
        review = Review(selected.outputs[selected.kept], chosen, author, reason, time.time())
        trains = any(row.round == number and row.stage == recipe_of(config).train.name for row in ledger.stages())
        if trains and _changes(read_review(folder), review):
            raise RunDirError(
                f"round {number} trains on the rows that were decided on, or has; another --run-dir can decide anew"
            )
        write_review(folder, review)
        ledger.add_event(
            f"{author} left out {len(chosen)} of {len(names)} selected rows: {reason or 'no reason given'}", number
        )
    return Reviewed(number, len(names), len(chosen))


def _selected(run_dir: RunDir, rounds: int, wanted: int | None) -> tuple[int, Manifest]:
    """Return the round that is meant and the manifest of its selection."""
    for number in [wanted] if wanted is not None else range(rounds, 0, -1):
        if manifest := read_manifest(run_dir.stage(number, REVIEW.reads["selected"].stage)):
            return number, manifest
    which = "no round" if wanted is None else f"round {wanted}"
    raise RunDirError(f"{run_dir.path}: {which} has selected rows yet; run its config up to there first")


def _changes(before: Review | None, now: Review) -> bool:
    """Tell whether the same rows were decided on otherwise before."""
    return before is not None and before.rows == now.rows and before.left_out != now.left_out

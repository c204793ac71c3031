"""Promotion and rollback as a person asks for them through the API.

Enters: a run and what the person wants and saw. Leaves: the ledger with the change, or an error and the ledger as it
was. A checkpoint whose files are not what was measured is refused before anything changes.
"""

from __future__ import annotations

from typing import Any

from inverse_instruct.checkpoint_files import verify_checkpoint
from inverse_instruct.errors import RunDirError
from inverse_instruct.ledger import Checkpoint, Ledger
from inverse_instruct.loop_service.service import NotFound
from inverse_instruct.run_dir import RunDir

AUTHOR = "api"


def promote_checkpoint(run_dir: RunDir, name: str, over: str | None, reason: str) -> dict[str, Any]:
    """Promote a checkpoint; return what is promoted now, and what was before.

    Args:
        run_dir: the run.
        name: of the checkpoint.
        over: the checkpoint that the person saw promoted; None: whichever is.
        reason: why.

    Raises:
        NotFound: there is no such checkpoint.
        RunDirError: it is promoted already, or another was promoted meanwhile.
        ModelError: its files are not what was measured.
    """
    with Ledger(run_dir.ledger) as ledger:
        before = _seen(ledger, over)
        checkpoint = _find(ledger, name)
        verify_checkpoint(checkpoint)
        now = ledger.promote(checkpoint.round, over=before.round if before else None, author=AUTHOR, reason=reason)
        return _change(now, before)


def roll_back(run_dir: RunDir, over: str | None, reason: str) -> dict[str, Any]:
    """Promote again what the promoted checkpoint replaced; arguments, result and errors as of `promote_checkpoint`."""
    with Ledger(run_dir.ledger) as ledger:
        before, earlier = _seen(ledger, over), ledger.predecessor()
        if earlier:
            verify_checkpoint(earlier)
        now = ledger.roll_back(over=before.round if before else None, author=AUTHOR, reason=reason)
        return _change(now, before)


def _seen(ledger: Ledger, over: str | None) -> Checkpoint | None:
    return ledger.promoted() if over is None else _find(ledger, over)


def _find(ledger: Ledger, name: str) -> Checkpoint:
    try:
        return ledger.find(name)
    except RunDirError as error:
        raise NotFound(str(error)) from error


def _change(now: Checkpoint, before: Checkpoint | None) -> dict[str, Any]:
    return {"promoted": now.name, "digest": now.digest, "over": before.name if before else None}

"""Promotion and rollback as a person asks for them, on the command line or through the API.

Enters: a run, what the person wants, and saw. Leaves: the ledger with the change, or an error and the ledger as it was.
A checkpoint whose files are not the ones that were measured is refused before anything changes. Not guaranteed: that a
gateway can load what is promoted; it keeps the old one if not, and says so in the ledger.
"""

from __future__ import annotations

from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.run_dir import RunDir

Change = tuple[Checkpoint, Checkpoint | None]
"""What is promoted now, and what it replaced."""


def promote_checkpoint(run_dir: RunDir, name: str, reason: str, *, author: str, over: str | None = None) -> Change:
    """Make a checkpoint the promoted one.

    Args:
        run_dir: the run.
        name: of the checkpoint.
        reason: why.
        author: who wants it.
        over: the checkpoint that the person saw promoted; None: whichever is.

    Raises:
        NotFoundError: there is no such checkpoint.
        RunDirError: the run has not begun, the checkpoint is promoted already, or another was promoted meanwhile.
        ModelError: its files are not the ones that were measured; nothing was changed.
    """
    with Ledger(run_dir.ledger) as ledger:
        before, checkpoint = _seen(ledger, over), ledger.find(name)
        verify_checkpoint(checkpoint)
        return ledger.promote(
            checkpoint.round, over=before.round if before else None, author=author, reason=reason
        ), before


def roll_back(run_dir: RunDir, reason: str, *, author: str, over: str | None = None) -> Change:
    """Promote again what the promoted checkpoint replaced; arguments and errors as of `promote_checkpoint`."""
    with Ledger(run_dir.ledger) as ledger:
        before, earlier = _seen(ledger, over), ledger.predecessor()
        if earlier:
            verify_checkpoint(earlier)
        return ledger.roll_back(over=before.round if before else None, author=author, reason=reason), before


def _seen(ledger: Ledger, over: str | None) -> Checkpoint | None:
    return ledger.promoted() if over is None else ledger.find(over)

"""The ledger as the gateway uses it: what is promoted, what happened to it here, and taking a promotion back.

Enters: a run's ledger, opened for each use, as other processes write it too. Leaves: the promoted checkpoint, and
events. Reading and writing happen in threads, so that a slow disk holds up no request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Registry:
    """The checkpoints of one run."""

    def __init__(self, path: Path) -> None:
        """Open the ledger, or make it: the first checkpoint may come later.

        Raises:
            RunDirError: it is damaged.
        """
        self._path = path
        Ledger(path, create=True).close()

    async def promoted(self) -> tuple[Checkpoint | None, int]:
        """Return the promoted checkpoint and the id of the promotion that made it that, 0 for none.

        Raises:
            RunDirError: the ledger cannot be read.
        """

        def read(ledger: Ledger) -> tuple[Checkpoint | None, int]:
            moves = ledger.promotions()
            return ledger.promoted(), moves[-1].id if moves else 0

        return await self._use(read)

    async def record(self, message: str, round_number: int | None = None) -> None:
        """Add an event; what cannot be written is only logged."""
        logger.info("%s", message)
        try:
            await self._use(lambda ledger: ledger.add_event(message, round_number, "serve"))
        except RunDirError as error:
            logger.warning("%s", error)

    async def take_back(self, refused: Checkpoint, served: Checkpoint | None, reason: str) -> None:
        """Record why a checkpoint is not served; promote again the one that is, unless somebody has acted since."""
        await self.record(f"{refused.name} is not served: {reason}", refused.round)
        if served is None or served.round == refused.round:
            return
        why = f"{refused.name} cannot be served: {reason.splitlines()[0]}"

        def undo(ledger: Ledger) -> Checkpoint:
            before = ledger.predecessor()
            if before and before.round == served.round:
                return ledger.roll_back(over=refused.round, author="gateway", reason=why)
            return ledger.promote(served.round, over=refused.round, author="gateway", reason=why)

        try:
            await self._use(undo)
        except RunDirError as error:
            logger.warning("%s", error)

    async def _use(self, work: Callable[[Ledger], Result]) -> Result:
        def run() -> Result:
            with Ledger(self._path) as ledger:
                return work(ledger)

        return await asyncio.to_thread(run)

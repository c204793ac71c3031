"""Requests side by side, and those that are suspected of killing the engine in quarantine, one at a time.

Enters: a request that wants to be sent. Leaves: its turn. A suspect waits until nothing else is in flight, and nothing
else starts while a suspect waits or is in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QuarantineGate:
    """The places that requests take while they are in flight."""

    def __init__(self) -> None:
        """Begin with nothing in flight."""
        self._changed = asyncio.Condition()
        self._in_flight = 0
        self._suspects = 0  # waiting or in flight

    @asynccontextmanager
    async def place(self, *, alone: bool) -> AsyncIterator[None]:
        """Hold a place for one request; `alone`: no other request is in flight meanwhile."""
        self._suspects += alone
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not (self._in_flight if alone else self._suspects))
                self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1
        finally:
            self._suspects -= alone
            await asyncio.shield(self._notify())

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

"""One engine as its client sees it: what stands behind it, how busy it is, and which one a request goes to.

Enters: requests, each with what it has met so far, and groups of requests that share a prefix. Leaves: an endpoint for
each attempt. The requests of a group go to one engine, which has computed their prefix, unless that one is away or has
failed them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from inverse_instruct.inference.quarantine import QuarantineGate


class Backend(Protocol):
    """What stands behind the endpoints, and can be brought back."""

    @property
    def starts(self) -> int:
        """How often it was started; it grows when the engine died and was started again."""

    async def revive(self, *, counted: bool = True) -> None:
        """Return once it answers, started again if need be.

        Args:
            counted: whether a restart is one of `inference.max_restarts`.

        Raises:
            ServerError: it does not come back.
        """

    def uncount_restart(self, start: int) -> None:
        """Do not count the restart that followed the start of this number."""


@dataclass(eq=False)
class Endpoint:
    """One server.

    Attributes:
        url: base URL.
        backend: what stands behind it, where that can be brought back.
        slots: as many as requests may be in flight; a suspect, which is alone, needs none.
        gate: through which its requests pass.
        reviving: held while the backend is brought back.
        load: requests that wait for their turn or for a reply now.
        in_flight: requests that wait for a reply now.
        groups: groups of requests that are at home here now.
        is_lost: whether its backend does not come back.
    """

    url: str
    backend: Backend | None
    slots: asyncio.Semaphore
    gate: QuarantineGate = field(default_factory=QuarantineGate)
    reviving: asyncio.Lock = field(default_factory=asyncio.Lock)
    load: int = 0
    in_flight: int = 0
    groups: int = 0
    is_lost: bool = False

    @property
    def starts(self) -> int:
        """How often the backend was started."""
        return self.backend.starts if self.backend else 0

    @property
    def is_away(self) -> bool:
        """Whether a request would have to wait for the backend to come back."""
        return self.is_lost or self.reviving.locked()

    @asynccontextmanager
    async def slot(self, *, alone: bool) -> AsyncIterator[None]:
        """Hold one of the slots; a request that is to be alone needs none, as all others wait for it."""
        self.load += 1
        try:
            async with nullcontext() if alone else self.slots:
                yield
        finally:
            self.load -= 1


_home: ContextVar[Endpoint | None] = ContextVar("home", default=None)


@contextmanager
def together(endpoints: Sequence[Endpoint]) -> Iterator[None]:
    """Send the requests that are made within the block, and in tasks that it starts, to one endpoint where that works.

    The one with the fewest groups of its own is taken.
    """
    home = min(endpoints, key=lambda endpoint: (endpoint.is_away, endpoint.groups))
    before = _home.set(home)
    home.groups += 1
    try:
        yield
    finally:
        home.groups -= 1
        _home.reset(before)


def choose(endpoints: Sequence[Endpoint], failures: Counter[Endpoint]) -> Endpoint:
    """Return the endpoint for a request's next attempt.

    Args:
        endpoints: to choose from.
        failures: of this request so far.
    """
    home = _home.get()

    def cost(endpoint: Endpoint) -> tuple[bool, int, bool, bool, int]:
        return endpoint.is_lost, failures[endpoint], endpoint.is_away, endpoint is not home, endpoint.load

    return min(endpoints, key=cost)

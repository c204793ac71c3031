"""One engine as its client sees it: what stands behind it, how busy it is, and which one a request goes to.

Enters: requests, each with what it has met so far, and groups of requests that share a prefix. Leaves: an endpoint for
each attempt. The requests of a group go to one engine, which has computed their prefix, unless that one is full, is
away, or has failed them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        gate: through which its requests pass.
        reviving: held while the backend is brought back.
        in_flight: requests that wait for a reply now.
        groups: groups of requests that are at home here now.
        is_lost: whether its backend does not come back.
    """

    url: str
    backend: Backend | None
    gate: QuarantineGate = field(default_factory=QuarantineGate)
    reviving: asyncio.Lock = field(default_factory=asyncio.Lock)
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


def choose(endpoints: Sequence[Endpoint], failures: Counter[Endpoint], per_endpoint: int) -> Endpoint:
    """Return the endpoint for a request's next attempt.

    Args:
        endpoints: to choose from.
        failures: of this request so far.
        per_endpoint: requests in flight after which an endpoint is full.
    """
    home = _home.get()

    def cost(endpoint: Endpoint) -> tuple[bool, int, bool, bool, int]:
        is_home = endpoint is home and endpoint.in_flight < per_endpoint
        return endpoint.is_lost, failures[endpoint], endpoint.is_away, not is_home, endpoint.in_flight

    return min(endpoints, key=cost)

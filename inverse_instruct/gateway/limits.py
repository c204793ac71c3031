"""How much is let in: the size of a body, and how many requests are with the engines or wait for them.

Enters: requests. Leaves: those that may go on, in the order in which they came, or an `ApiError` (408, 413, 429).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from inverse_instruct.web.api_error import ApiError

BUSY_RETRY_SECONDS = 2
BODY_SECONDS = 60


class Admission:
    """Lets a bounded number of requests to the engines, and a bounded number wait, first come, first served."""

    def __init__(self, max_concurrent: int, max_waiting: int) -> None:
        """Take the two bounds."""
        self._max_concurrent = max_concurrent
        self._max_waiting = max_waiting
        self._queue: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place among the concurrent requests, waiting for it if need be.

        Raises:
            ApiError: 429, too many wait already.
        """
        await self._enter()
        try:
            yield
        finally:
            self.in_flight -= 1
            self._admit()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Let nobody in until the block ends: whoever comes waits."""
        self._closed = True
        try:
            await asyncio.sleep(0)  # who has just been let in is with an engine when the block begins
            yield
        finally:
            self._closed = False
            self._admit()

    async def _enter(self) -> None:
        if not self._closed and self.in_flight < self._max_concurrent and not self._queue:
            self.in_flight += 1
            return
        if len(self._queue) >= self._max_waiting:
            raise ApiError(429, "too many requests are waiting; try again later", retry_after=BUSY_RETRY_SECONDS)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:  # the client has gone
            if place in self._queue:
                self._queue.remove(place)
            elif not place.cancelled():  # it was let in meanwhile
                self.in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._queue and not self._closed and self.in_flight < self._max_concurrent:
            place = self._queue.popleft()
            if not place.done():  # its client has gone, and it has not heard of that yet
                self.in_flight += 1
                place.set_result(None)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a body, no further than the limit; the server throws away what still comes after that.

    Raises:
        ApiError: 413, it is larger than `max_bytes`; 408, it takes longer than `BODY_SECONDS`.
    """
    too_large = ApiError(
        413,
        f"the body is larger than {max_bytes} bytes; send less (for completions, serve.max_body_bytes is the limit)",
    )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError as error:
        raise ApiError(408, f"the body did not come within {BODY_SECONDS} s") from error
    return bytes(body)

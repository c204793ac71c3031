"""What a connection may take before anybody knows who it is: bytes, time and a descriptor.

Enters: connections to one server. Leaves: requests whose header has come whole, within `HEADER_BYTES` and, from the
first byte or the opening of the connection, `HEADER_SECONDS`; others get 400, 408 or 431 and are closed. When there are
as many connections as descriptors allow, the one that has had no request for longest makes room for the next; the
ledger and the engines keep theirs. Not guaranteed: a place while all connections have a request under way; who comes
then gets 503.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from inverse_instruct.web.api_error import ApiError

HEADER_BYTES = 64 * 1024  # of a request line with its header, also of the trailers of a body
HEADER_SECONDS = 10.0
LINGER_SECONDS = 2.0  # for a client to read why it is refused while it still sends
READ_BYTES = 8 * 1024  # parsed at once, before other connections have their turn
MOST_CONNECTIONS = 2048  # headers that are under way fill 128 MiB then
FEWEST_CONNECTIONS = 8
QUEUE = 2048  # connections that the kernel holds until they are accepted
ACCEPTED_AT_ONCE = 64  # at most, and a 32nd of all descriptors: the loop accepts four times before it sees the first

WORDS = {
    400: "this is no valid HTTP request",
    408: f"the header did not come within {HEADER_SECONDS:g} s",
    431: f"the header is larger than {HEADER_BYTES} bytes",
}


def guarded_config(app: ASGIApp, *, engine_requests: int = 0, **options: Any) -> uvicorn.Config:
    """Return the settings of a `GuardedServer`.

    Args:
        app: the application.
        engine_requests: connections of its own that it keeps descriptors for.
        options: further ones of uvicorn.
    """
    places = Places(connection_limit(engine_requests))
    at_once = max(1, min(ACCEPTED_AT_ONCE, _descriptors() // 32))
    return uvicorn.Config(
        app,
        http=partial(GuardedProtocol, places=places),  # type: ignore[arg-type]
        loop="asyncio",
        ws="none",
        backlog=at_once,
        h11_max_incomplete_event_size=HEADER_BYTES,
        **options,
    )


def connection_limit(engine_requests: int) -> int:
    """Return how many connections may be open; a quarter of all descriptors is kept for files and for who comes in."""
    descriptors = _descriptors()
    used = len(os.listdir("/proc/self/fd"))
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, descriptors - descriptors // 4 - used - engine_requests))


def _descriptors() -> int:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


class GuardedServer(uvicorn.Server):
    """uvicorn with guarded connections; who comes in a crowd waits in the kernel, and is let in by the handful."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(QUEUE)  # uvicorn has made it as long as what is accepted at once


class Places:
    """The connections of one server, as far as they can be given up."""

    def __init__(self, limit: int) -> None:
        """Take how many there may be."""
        self.limit = limit
        self.idle: dict[GuardedProtocol, None] = {}  # have no request with us; who has been so for longest comes first


class GuardedProtocol(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's HTTP/1.1, with an end to waiting and to headers; uvloop would give it more bytes at once."""

    def __init__(self, *arguments: Any, places: Places, **options: Any) -> None:
        """Take uvicorn's arguments, and the places of the server."""
        super().__init__(*arguments, **options)
        self._places = places
        self._buffer = bytearray(READ_BYTES)
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, in the place of another connection if need be."""
        super().connection_made(transport)
        self._end_after(HEADER_SECONDS)
        if len(self.connections) > self._places.limit:
            self._make_room()
        self._note()

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where the next bytes go; its size bounds what is parsed at once."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come into the buffer."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take bytes, which end the time of a request only if they complete its header."""
        if self._refused:
            return
        if self._deadline is None and not self._busy:
            self._end_after(HEADER_SECONDS)
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._note()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser has refused, with the status that it gives."""
        self._refuse(getattr(sys.exc_info()[1], "error_status_hint", 400))

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._stop_timer()
        self._places.idle.pop(self, None)
        super().connection_lost(exc)

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and not self._refused

    def _note(self) -> None:
        if self._busy:
            self._stop_timer()
            self._places.idle.pop(self, None)
        elif not self.transport.is_closing():
            self._places.idle.setdefault(self)
            if self._deadline is None and self.conn.trailing_data[0]:
                self._end_after(HEADER_SECONDS)  # the next request has begun to come

    def _make_room(self) -> None:
        oldest = next(iter(self._places.idle), None)
        if oldest is None:
            self._refuse(503)
        else:
            del self._places.idle[oldest]
            oldest.transport.close()

    def _end_after(self, seconds: float) -> None:
        self._stop_timer()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        if self._refused or self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
            self.transport.close()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Say why, and close once the client can have read it; what it still sends is thrown away."""
        self._unset_keepalive_if_required()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            error = ApiError(status, WORDS.get(status, HTTPStatus(status).phrase)).response()
            head = h11.Response(
                status_code=status,
                reason=HTTPStatus(status).phrase.encode(),
                headers=[*error.raw_headers, (b"connection", b"close")],
            )
            for event in (head, h11.Data(data=bytes(error.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True  # who reads its body hears of it
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._end_after(LINGER_SECONDS)

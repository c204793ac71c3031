"""One reply under way to a client, as ASGI messages.

Enters: whole bodies, or events one by one. Leaves: a reply that names its checkpoint in `x-checkpoint` and always has
an end that the client can tell: its own, or an error.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.types import Message, Send

from inverse_instruct.web.api_error import ApiError


class Reply:
    """The reply to one request."""

    def __init__(self, send: Send, checkpoint: str) -> None:
        """Take where to send to, and the label of the checkpoint that replies."""
        self._send = send
        self._checkpoint = checkpoint
        self.started = False
        self.sending = False  # the client is waited for

    async def send_json(self, status: int, tree: dict[str, Any]) -> None:
        """Send a whole reply."""
        await self.send_body(status, "application/json", json.dumps(tree).encode())

    async def send_body(self, status: int, content_type: str, content: bytes, retry_after: int | None = None) -> None:
        """Send a whole reply whose body is at hand."""
        more = {"content-length": str(len(content))}
        if retry_after is not None:
            more["retry-after"] = str(retry_after)
        await self._start(status, content_type, more)
        await self._deliver({"type": "http.response.body", "body": content})

    async def send_event(self, data: bytes) -> None:
        """Send one event of a stream."""
        if not self.started:
            await self._start(200, "text/event-stream; charset=utf-8", {"cache-control": "no-cache"})
        await self._deliver({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

    async def finish(self) -> None:
        """End a stream."""
        await self._deliver({"type": "http.response.body", "body": b""})

    async def fail(self, error: ApiError) -> None:
        """End with an error: as the last event of a stream that has begun.

        Raises:
            ApiError: nothing was sent so far, so the error can still be the reply.
        """
        if not self.started:
            raise error
        await self._deliver({"type": "http.response.body", "body": error.event()})

    async def _start(self, status: int, content_type: str, more: dict[str, str]) -> None:
        self.started = True
        headers = {"content-type": content_type, "x-checkpoint": self._checkpoint, **more}
        await self._deliver(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )

    async def _deliver(self, message: Message) -> None:
        self.sending = True
        try:
            await self._send(message)
        finally:
            self.sending = False

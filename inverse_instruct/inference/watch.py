"""The heartbeat of a vLLM server: whether it hangs. One of ours is killed then, so that its requests fail.

Enters: a running server, and how many requests wait for it. Leaves: in words, how it hangs. Two signs of life: /health
answers, and while requests wait, tokens are counted (vLLM answers /health from another process than the one that
computes). A server that ends by itself breaks its connections off, so nobody needs to watch for that.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import NoReturn

import httpx

from inverse_instruct.inference.server import VllmServer

BEAT_SECONDS = 1.0
ANSWER_SECONDS = 5.0  # for one question to the server
HANG_SECONDS = 30.0  # without an answer to /health
STALL_SECONDS = 120.0  # with requests that wait, without one more token; a full prefill on a busy CPU takes a minute
TOKENS = re.compile(r"^vllm:(?:prompt|generation)_tokens_total\{[^\n]*\} (\S+)$", re.MULTILINE)


class Heartbeat:
    """The signs of life of one server."""

    def __init__(self, client: httpx.AsyncClient, url: str, waiting: Callable[[], int]) -> None:
        """Begin with a server that is well.

        Args:
            client: to ask with.
            url: of the server.
            waiting: returns how many requests wait for a reply now.
        """
        self._client = client
        self._url = url
        self._waiting = waiting
        self.forget()

    def forget(self) -> None:
        """Hold nothing against the server that was so far: it starts, or does what takes long."""
        self.answers = False  # whether it answered /health when it was asked last
        self._silent = self._stalled = 0.0  # seconds
        self._tokens: float | None = None

    async def beat(self) -> str | None:
        """Look after `BEAT_SECONDS`; return how it hangs, or None while that is not certain."""
        began = time.monotonic()
        await asyncio.sleep(BEAT_SECONDS)
        self.answers = await self._read("health") is not None
        tokens = await self._count_tokens() if self.answers and self._waiting() else None
        # this process may have been stopped itself: no beat counts for more than it can take
        seconds = min(time.monotonic() - began, BEAT_SECONDS + 2 * ANSWER_SECONDS)
        self._silent = 0.0 if self.answers else self._silent + seconds
        self._stalled = self._stalled + seconds if tokens is not None and tokens == self._tokens else 0.0
        self._tokens = tokens
        if self._silent > HANG_SECONDS:
            return f"gave no sign of life for {self._silent:.0f} s"
        if self._stalled > STALL_SECONDS:
            return f"gave no token for {self._stalled:.0f} s"
        return None

    async def _count_tokens(self) -> float | None:
        """Return the tokens read and written so far, or None where the server does not count them."""
        found = TOKENS.findall(await self._read("metrics") or "")
        return sum(map(float, found)) if found else None

    async def _read(self, path: str) -> str | None:
        try:
            response = await self._client.get(f"{self._url}/{path}", timeout=ANSWER_SECONDS)
        except httpx.HTTPError:
            return None
        return response.text if response.status_code == 200 else None


async def watch(server: VllmServer, waiting: Callable[[], int]) -> NoReturn:
    """Kill the server whenever it hangs; whoever asks it starts it again.

    Args:
        server: to watch.
        waiting: returns how many requests wait for a reply now.
    """
    async with httpx.AsyncClient(trust_env=False) as client:
        heartbeat = Heartbeat(client, server.url, waiting)
        while True:
            why = await heartbeat.beat()
            if not (server.ready and server.alive):
                heartbeat.forget()
            elif why:
                server.kill(why)

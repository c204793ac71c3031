"""The heartbeat of a server of ours: one that hangs is killed, so that its requests fail and it is started again.

Enters: a running server, and how many requests wait for it. Leaves: nothing; ended when it is canceled. Two signs of
life: /health answers, and while requests wait, tokens are counted (vLLM answers /health from another process than the
one that computes). A server that ends by itself breaks its connections off, so nobody needs to watch for that. Not
covered: servers that somebody else started.
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


async def watch(server: VllmServer, waiting: Callable[[], int]) -> NoReturn:
    """Kill the server whenever it hangs.

    Args:
        server: whoever asks it starts it again.
        waiting: returns how many requests wait for a reply now.
    """
    silent = stalled = 0.0
    tokens: float | None = None
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        while True:
            began = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            if not (server.ready and server.alive):
                silent = stalled = 0.0
                continue
            answers = await _read(client, f"{server.url}/health") is not None
            counted = await _tokens(client, server) if answers and waiting() else None
            # this process may have been stopped itself: no beat counts for more than it can take
            beat = min(time.monotonic() - began, BEAT_SECONDS + 2 * ANSWER_SECONDS)
            silent = 0.0 if answers else silent + beat
            stalled = stalled + beat if counted is not None and counted == tokens else 0.0
            tokens = counted
            if silent > HANG_SECONDS:
                server.kill(f"gave no sign of life for {silent:.0f} s")
            elif stalled > STALL_SECONDS:
                server.kill(f"gave no token for {stalled:.0f} s")


async def _tokens(client: httpx.AsyncClient, server: VllmServer) -> float | None:
    """Return the tokens read and written so far, or None where the server does not count them."""
    found = TOKENS.findall(await _read(client, f"{server.url}/metrics") or "")
    return sum(map(float, found)) if found else None


async def _read(client: httpx.AsyncClient, url: str) -> str | None:
    try:
        response = await client.get(url)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None

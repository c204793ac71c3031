"""A reverse proxy before a real server that spoils a share of the requests, the same ones for the same seed.

`python -m tests.faults.faulty_proxy UPSTREAM --port 8099 --share 0.05 --seed 1` for use by hand; ends with Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter
from typing import Any

import httpx

FAULTS = ("reset", "reset late", "429", "500", "503", "HTML", "cut JSON", "cut body", "null", "other model", "delay")
DELAY_SECONDS = 2.0


class FaultyProxy:
    """Spoils a share of the requests for completions; everything else goes through as it is."""

    def __init__(self, upstream: str, *, share: float, seed: int, port: int = 0) -> None:
        self._upstream = upstream
        self._share = share
        self._random = random.Random(seed)
        self._port = port
        self._http = httpx.AsyncClient(timeout=600, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self.url = ""
        self.requests = 0
        self.injected: Counter[str] = Counter()

    async def __aenter__(self) -> FaultyProxy:
        """Listen."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.close()
        await self._http.aclose()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, path, content = await _read_request(reader)
            fault = self._choose() if method == "POST" else ""
            await self._answer(writer, method, path, content, fault)
        except (OSError, asyncio.IncompleteReadError, httpx.HTTPError):
            pass  # one of the two sides is gone
        finally:
            writer.close()

    def _choose(self) -> str:
        self.requests += 1
        if self._random.random() >= self._share:
            return ""
        fault = self._random.choice(FAULTS)
        self.injected[fault] += 1
        return fault

    async def _answer(self, writer: asyncio.StreamWriter, method: str, path: str, content: bytes, fault: str) -> None:
        if fault == "reset":
            return writer.transport.abort()
        if fault.isdecimal():
            return writer.write(_response(int(fault), b'{"error": {"message": "injected"}}'))
        if fault == "HTML":
            return writer.write(_response(200, b"<html>Bad Gateway</html>"))
        if fault == "delay":
            await asyncio.sleep(DELAY_SECONDS)
        reply = await self._http.request(
            method, self._upstream + path, content=content, headers={"content-type": "application/json"}
        )
        if fault == "reset late":
            return writer.transport.abort()
        whole = _response(reply.status_code, _spoil(reply.content, fault))
        writer.write(whole[: len(whole) // 2] if fault == "cut body" else whole)
        await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, path, _ = head.split(" ", 2)
    length = next(
        (int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0
    )
    return method, path, await reader.readexactly(length)


def _response(status: int, content: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + content


def _spoil(content: bytes, fault: str) -> bytes:
    if fault == "cut JSON":
        return content[: len(content) // 2]
    if fault == "other model":
        return json.dumps(json.loads(content) | {"model": "somebody-else"}).encode()
    if fault == "null":
        tree: dict[str, Any] = json.loads(content)
        for choice in tree["choices"]:
            choice["text"] = None
            for tokens in (choice.get("logprobs") or {}).get("top_logprobs") or []:
                tokens.update(dict.fromkeys(tokens))
        return json.dumps(tree).encode()
    return content


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("upstream")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    proxy = FaultyProxy(given.upstream, share=given.share, seed=given.seed, port=given.port)
    async with proxy:
        print(proxy.url, flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print(json.dumps({"requests": proxy.requests, "injected": proxy.injected}), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except KeyboardInterrupt:
        pass

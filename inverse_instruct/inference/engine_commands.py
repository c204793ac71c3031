"""The commands of a vLLM server that was started with VLLM_SERVER_DEV_MODE=1: other weights, and rest.

Enters: a server's URL. Leaves: its replies, or a `ServerError` that says what to do. The folder of new weights is named
to the server, so it must see the same file system.
"""

from __future__ import annotations

import json as json_text
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from inverse_instruct.errors import ServerError
from inverse_instruct.inference.attempts import BadReply
from inverse_instruct.inference.client import CONNECT_SECONDS, authorization, read_content

COMMAND_SECONDS = 600.0  # reading the weights of a large model takes minutes


@dataclass(frozen=True)
class EngineCommands:
    """How one server is commanded."""

    url: str
    key: str | None = None  # of a given server

    async def load(self, folder: Path) -> None:
        """Exchange the weights of the running server, which should have no request.

        Raises:
            ServerError: it refused; which weights it has now is not known.
        """
        await self.send("pause", params={"mode": "wait"})
        await self.send("collective_rpc", json={"method": "reload_weights", "kwargs": {"weights_path": str(folder)}})
        cleared = await self.send("reset_prefix_cache")
        if not cleared.get("success", True):
            raise ServerError(f"the engine at {self.url} kept its prefix cache, which belongs to the old weights")
        await self.send("resume")

    async def sleep(self) -> None:
        """Have the server free the memory of its devices; it should have no request, and keeps its weights elsewhere.

        Raises:
            ServerError: it does not say that it sleeps.
        """
        await self.send("sleep", params={"level": "1"})
        told = _as_reply((await self._request("GET", "is_sleeping"))[1])
        if told.get("is_sleeping") is not True:
            raise ServerError(f"the engine at {self.url} was told to sleep, and does not")

    async def is_offered(self) -> bool:
        """Tell whether the server takes commands, and changes nothing.

        Raises:
            ServerError: it does not answer.
        """
        return (await self._request("GET", "is_paused"))[0] != 404

    async def send(self, name: str, *, params: dict[str, str] | None = None, json: object = None) -> dict[str, Any]:
        """Send a command; return what the server says, which is {} for most.

        Raises:
            ServerError: it does not answer, or refuses.
        """
        status, content = await self._request("POST", name, params=params, json=json)
        if status == 404:
            raise ServerError(f"{self.url} has no /{name}: start that server with VLLM_SERVER_DEV_MODE=1")
        if status >= 400:
            told = content[:300].decode("utf-8", errors="replace")
            raise ServerError(f"the engine at {self.url} answered {status} to /{name}: {told}")
        return _as_reply(content)

    async def _request(self, method: str, name: str, **what: Any) -> tuple[int, bytes]:
        limits = aiohttp.ClientTimeout(COMMAND_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=limits, headers=authorization(self.key)) as http,
                http.request(method, f"{self.url}/{name}", allow_redirects=False, **what) as response,
            ):
                return response.status, await read_content(response)
        except (aiohttp.ClientError, BadReply, TimeoutError) as error:
            raise ServerError(f"the engine at {self.url} was lost at /{name} ({type(error).__name__})") from error


def _as_reply(content: bytes) -> dict[str, Any]:
    """Return what a server says; {} where it is nothing, as for most commands."""
    try:
        reply = json_text.loads(content)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}

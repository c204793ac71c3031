"""One vLLM engine as the gateway sees it: its requests in flight, its health, and the weights in it.

Enters: a server that we start, or the URL of a given one. Leaves: a place to send requests to. A given engine must run
with VLLM_SERVER_DEV_MODE=1 and see the same file system. Not guaranteed: that a reply is ever finished; an engine that
dies or is stopped breaks its streams off with `EngineLost`, and whoever relays them says so to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from inverse_instruct.errors import StartError
from inverse_instruct.inference.client import authorization, base_url, endpoint_key, served_name
from inverse_instruct.inference.engine_commands import EngineCommands
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import Heartbeat

HEALTH_INTERVAL_SECONDS = 0.5


class EngineLost(Exception):
    """The engine went away under a request."""


class Engine:
    """One engine, started by us (`server`) or given (`url`)."""

    def __init__(self, folder: Path, server: VllmServer | None, url: str = "") -> None:
        """Describe the engine; nothing is started or asked yet.

        Args:
            folder: of the weights that belong in it.
            server: the server to start; None: it is given.
            url: of a given engine.
        """
        self.folder = folder
        self.server = server
        self.model = server.name if server else ""  # the name under which the engine knows what it runs
        self.ready = False  # whether it takes requests
        self.retiring = False  # it has no successor of its own: nobody starts it again
        self.changing = asyncio.Lock()  # held by whoever starts, stops or reloads it
        self._url = base_url(url)
        self.key = None if server else endpoint_key()  # of a given engine
        self._requests: dict[asyncio.Timeout, Callable[[], bool]] = {}  # whether each waits for the engine
        self._idle = asyncio.Event()
        self._idle.set()
        # every request has a connection of its own: a kept one may be closed by the engine just when it is used again
        self.http = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=5),
            trust_env=False,
            headers=authorization(self.key),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    @property
    def url(self) -> str:
        """The base URL."""
        return self.server.url if self.server else self._url

    @property
    def in_flight(self) -> int:
        """How many requests are with the engine."""
        return len(self._requests)

    @property
    def waiting(self) -> int:
        """How many of them wait for the engine, and not for a client that takes its time."""
        return sum(waits() for waits in self._requests.values())

    @property
    def alive(self) -> bool:
        """Whether its process runs; of a given engine nothing is known but its health."""
        return self.server is None or self.server.alive

    @asynccontextmanager
    async def request(self, waits: Callable[[], bool]) -> AsyncIterator[None]:
        """Count a request as in flight; it is counted before anything else can run.

        Args:
            waits: tells whether it waits for the engine now.

        Raises:
            EngineLost: the request was cut off.
        """
        try:
            async with asyncio.timeout(None) as limit:
                self._requests[limit] = waits
                self._idle.clear()
                try:
                    yield
                finally:
                    del self._requests[limit]
                    if not self._requests:
                        self._idle.set()
        except TimeoutError as error:
            raise EngineLost("the engine was stopped") from error

    def cut_off(self) -> None:
        """End all requests in flight with `EngineLost`."""
        for limit in self._requests:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())

    async def drain(self, seconds: float | None) -> None:
        """Return when no request is in flight; those that take longer than `seconds` are cut off."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            self.cut_off()
            await self._idle.wait()

    async def start(self, seconds: float) -> None:
        """Start it, or wait up to `seconds` for a given one and load the weights into it.

        Raises:
            StartError: it does not come up.
            ServerError: it does not take the weights.
        """
        if self.server:
            self.server.model = self.folder
            await asyncio.to_thread(self.server.stop)
            self.server.start()
            await self.server.wait_ready()
            return
        deadline = asyncio.get_running_loop().time() + seconds
        while not await self.healthy():
            if asyncio.get_running_loop().time() > deadline:
                raise StartError(f"the given engine at {self.url} did not answer within {seconds:.0f} s; start it")
            await asyncio.sleep(HEALTH_INTERVAL_SECONDS)
        self.model = await served_name(self.url, self.key)
        await self.load(self.folder)

    async def stop(self) -> None:
        """End what we started, with all of its requests."""
        self.ready = False
        if self.server:
            await asyncio.to_thread(self.server.stop)
        self.cut_off()

    async def close(self) -> None:
        """Stop it for good."""
        await self.stop()
        await self.http.aclose()

    async def healthy(self) -> bool:
        """Tell whether it answers /health."""
        try:
            return (await self.http.get(f"{self.url}/health", timeout=5)).status_code == 200
        except httpx.TransportError:
            return False

    async def load(self, folder: Path) -> None:
        """Exchange the weights in the running engine; it should have no request.

        Raises:
            ServerError: the engine refused; which weights it has now is not known.
        """
        await self.commands.load(folder)
        self.folder = folder

    async def sleep(self) -> None:
        """Have it free the memory of its devices; it should have no request, and keeps its weights elsewhere.

        Raises:
            ServerError: it does not say that it sleeps.
        """
        await self.commands.sleep()

    @property
    def commands(self) -> EngineCommands:
        """How it is commanded; its address is known when it runs."""
        return EngineCommands(self.url, self.key)


async def until_broken(engine: Engine) -> str:
    """Watch an engine; return in words what has become of it once it needs to be started again.

    One of ours that hangs is killed. One that was not ready and answers again is ready.
    """
    heartbeat = Heartbeat(engine.http, engine.url, lambda: engine.waiting)
    while True:
        why = await heartbeat.beat()
        if not engine.alive:
            return "died"
        if engine.changing.locked():
            heartbeat.forget()
        elif why:
            if engine.server:
                engine.server.kill(why)
            return why
        elif heartbeat.answers:
            engine.ready = True

"""The engines that there are: those that take requests, and those before them that end theirs.

Enters: deployments. Leaves: one of them as the one that serves; each before it drains, is let go of and closed.
"""

from __future__ import annotations

import asyncio

from inverse_instruct.gateway.deployment import Deployment
from inverse_instruct.gateway.engine_supervisor import EngineSupervisor
from inverse_instruct.gateway.engines import Engine


class Deployed:
    """What is deployed of a service."""

    def __init__(self, supervisor: EngineSupervisor, drain_seconds: float | None) -> None:
        """Begin with nothing.

        Args:
            supervisor: keeps engines alive.
            drain_seconds: how long requests may take to end; None: any time.
        """
        self.serving: Deployment | None = None
        self._supervisor = supervisor
        self._drain_seconds = drain_seconds
        self._retired: dict[Engine, None] = {}  # in order
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def engines(self) -> list[Engine]:
        """All engines, those that take requests first."""
        return [*(self.serving.engines if self.serving else ()), *self._retired]

    def switch(self, deployment: Deployment) -> None:
        """Send new requests to a deployment from now on; the one before drains and goes."""
        old, self.serving = self.serving, deployment
        if old and old.engines != deployment.engines:
            self.retire(old)
        for engine in deployment.engines:
            self._supervisor.watch(engine, lambda: self.serving)

    def retire(self, deployment: Deployment) -> asyncio.Task[None]:
        """Let a deployment drain and go; the task ends when nothing of it is left."""
        for engine in deployment.engines:
            engine.retiring = True
            self._retired[engine] = None
        task = asyncio.create_task(self._retire(deployment))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def drain(self, deployment: Deployment) -> None:
        """Return when no request is with a deployment."""
        await asyncio.gather(*(engine.drain(self._drain_seconds) for engine in deployment.engines))

    async def drain_all(self) -> None:
        """Return when no request is with any engine, and those that were to go have gone."""
        await asyncio.gather(*([self.drain(self.serving)] if self.serving else []), *map(asyncio.shield, self._leaving))

    async def close(self) -> None:
        """End all engines."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._supervisor.close()
        await asyncio.gather(*(engine.close() for engine in self.engines))

    async def _retire(self, deployment: Deployment) -> None:
        await self.drain(deployment)
        for engine in deployment.engines:
            await self._supervisor.release(engine)
            await engine.close()
            self._retired.pop(engine, None)

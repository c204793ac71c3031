"""Keeps engines alive: one that dies or hangs is started again with the checkpoint that it should have.

Enters: engines that are up. Leaves: the same ones, restarted up to `inference.max_restarts` times within an hour; after
that they are left alone, and the ledger and `/ready` say that a person must look.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from inverse_instruct.errors import InverseInstructError
from inverse_instruct.gateway.availability import Availability
from inverse_instruct.gateway.deployment import Deployer, Deployment
from inverse_instruct.gateway.engines import Engine, until_broken
from inverse_instruct.gateway.metrics import Metrics
from inverse_instruct.gateway.promoted import Registry

WINDOW_SECONDS = 3600.0


class EngineSupervisor:
    """Watches the engines of a service."""

    def __init__(
        self,
        deployer: Deployer,
        registry: Registry,
        availability: Availability,
        metrics: Metrics,
        *,
        max_restarts: int,
        logs: Path,
    ) -> None:
        """Take what restarting needs and where it is told."""
        self._deployer = deployer
        self._registry = registry
        self._availability = availability
        self._metrics = metrics
        self._max_restarts = max_restarts
        self._logs = logs
        self._restarts: deque[float] = deque()  # when they were
        self._watches: dict[Engine, asyncio.Task[None]] = {}
        self.awake = asyncio.Event()  # nothing is started while it is not set
        self.awake.set()

    def watch(self, engine: Engine, deployment: Callable[[], Deployment | None]) -> None:
        """Keep an engine alive from now on, if it is not being watched already.

        Args:
            engine: it is up.
            deployment: tells what it should have whenever that matters.
        """
        if engine not in self._watches or self._watches[engine].done():
            self._watches[engine] = asyncio.create_task(self._supervise(engine, deployment))

    async def release(self, engine: Engine) -> None:
        """Keep an engine no longer."""
        task = self._watches.pop(engine, None)
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Keep none any longer."""
        for engine in list(self._watches):
            await self.release(engine)

    async def _supervise(self, engine: Engine, deployment: Callable[[], Deployment | None]) -> None:
        while True:
            why = await until_broken(engine)
            engine.ready = False
            engine.cut_off()
            if engine.retiring:
                return
            await self.awake.wait()
            async with engine.changing:
                if not self.awake.is_set():  # the devices were wanted in between
                    continue
                wanted = deployment()
                if wanted is None or engine not in wanted.engines:
                    return
                swapped = engine.alive and await engine.healthy()  # a swap has started it meanwhile
                if not swapped and not await self._revive(engine, wanted, why):
                    return
                engine.ready = True

    async def _revive(self, engine: Engine, deployment: Deployment, why: str) -> bool:
        """Start an engine again until it is well; tell whether it is."""
        name = deployment.checkpoint.name
        while self._may_restart():
            started = time.monotonic()
            self._availability.set_starting("restarting", "the engine is being started again")
            self._metrics.engine_restarts.inc()
            await self._registry.record(f"the engine of {name} {why} and is started again")
            try:
                await self._deployer.restart(engine, deployment)
            except (InverseInstructError, OSError, ValueError) as error:
                why = f"did not come back ({error})"
                continue
            seconds = time.monotonic() - started
            self._availability.note_start(seconds)
            self._availability.set("serving")
            await self._registry.record(f"the engine of {name} is back after {seconds:.1f} s")
            return True
        reason = f"the engine was started again {self._max_restarts} times within an hour and is left alone now"
        self._availability.set("failed", reason)
        await self._registry.record(
            f"the engine of {name} {why}; {reason}: see {self._logs}, then promote another "
            "checkpoint or start the service again"
        )
        await engine.stop()
        return False

    def _may_restart(self) -> bool:
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > WINDOW_SECONDS:
            self._restarts.popleft()
        if len(self._restarts) >= self._max_restarts:
            return False
        self._restarts.append(now)
        return True

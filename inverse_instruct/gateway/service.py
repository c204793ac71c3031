"""What is served: follows the ledger's promoted checkpoint, and says which engine a request goes to.

Enters: the ledger, looked at twice a second. Leaves: the engine for a request, or an `ApiError` that says when to come
again. What is promoted but cannot be served is taken back in the ledger, with the reason: after every swap, "promoted"
is what is served. Not guaranteed: an answer while the only engine is started again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import InverseInstructError, RunDirError, ServerError
from inverse_instruct.gateway.availability import Availability
from inverse_instruct.gateway.deployment import Deployer, Deployment
from inverse_instruct.gateway.engine_supervisor import EngineSupervisor
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.gateway.limits import Admission
from inverse_instruct.gateway.metrics import Metrics
from inverse_instruct.gateway.promoted import Registry
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.web.api_error import ApiError

CURRENT = "current"
POLL_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Service:
    """The engines of a run's promoted checkpoint."""

    def __init__(self, config: RunConfig, run_dir: RunDir) -> None:
        """Take the config and the run; `start` begins.

        Raises:
            RunDirError: the ledger is damaged.
        """
        self.section = config.serve
        self.admission = Admission(self.section.max_concurrent, self.section.max_waiting)
        self.metrics = Metrics(lambda: self.admission.in_flight, lambda: self.admission.waiting)
        self.serving: Deployment | None = None
        self.availability = Availability()
        self._registry = Registry(run_dir.ledger)
        self._deployer = Deployer(config, run_dir.logs)
        self._supervisor = EngineSupervisor(
            self._deployer,
            self._registry,
            self.availability,
            self.metrics,
            max_restarts=config.inference.max_restarts,
            logs=run_dir.logs,
        )
        self._changing = asyncio.Lock()  # held by whoever changes what is served
        self._retired: dict[Engine, None] = {}  # in order
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = 0  # id of the promotion that could not be followed

    # -- for requests ------------------------------------------------------------------------------------------------

    @property
    def engines(self) -> list[Engine]:
        """All engines, those that take requests first."""
        return [*(self.serving.engines if self.serving else ()), *self._retired]

    def pick(self, model: str) -> tuple[Deployment, Engine]:
        """Return who answers a request for a model.

        Raises:
            ApiError: 404, no engine has it; 503, no engine is ready.
        """
        if not self._supervisor.awake.is_set() or self.serving is None:
            raise self.availability.error()
        if model not in (CURRENT, self.serving.checkpoint.name):
            raise ApiError(
                404,
                f"the model {model!r} is not loaded; use {CURRENT!r} or {self.serving.checkpoint.name!r}",
                code="model_not_found",
                param="model",
            )
        engine = self.serving.pick()
        if engine is None:
            raise self.availability.error()
        return self.serving, engine

    def status(self) -> dict[str, Any]:
        """Return what `/ready` tells; `ready`: a request would be answered, if need be after a swap in place."""
        checkpoint = self.serving.checkpoint if self.serving else None
        ready = self._supervisor.awake.is_set() and self.serving is not None and self.serving.pick() is not None
        return {
            "ready": ready,
            "state": self.availability.state,
            "reason": self.availability.reason or None,
            "mode": self.section.mode,
            "checkpoint": checkpoint.name if checkpoint else None,
            "digest": checkpoint.digest if checkpoint else None,
        }

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._spawn(self._follow())

    async def stop(self) -> None:
        """End everything, the engines too."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._supervisor.close()
        await asyncio.gather(*(engine.close() for engine in self.engines))

    def cut_off(self) -> None:
        """End all requests in flight with an error."""
        for engine in self.engines:
            engine.cut_off()

    async def pause_engines(self, reason: str) -> None:
        """Free the devices as `serve.during_training` says, once the requests in flight have ended."""
        if self.section.during_training == "serve":
            return
        async with self._changing:
            self._supervisor.awake.clear()
            self.availability.set("paused", f"the engines rest: {reason}")
            if self.serving is None:
                return
            if self.section.during_training == "stop":
                deployment, self.serving = self.serving, None
                await self._retire(deployment)
            else:
                await self._drain(self.serving)
                await asyncio.gather(
                    *(engine.commands.send("sleep", params={"level": "1"}) for engine in self.serving.engines)
                )

    async def resume_engines(self) -> None:
        """Take the devices back; stopped engines are started with what is promoted by then."""
        if self._supervisor.awake.is_set():
            return
        async with self._changing:
            for engine in self.serving.engines if self.serving else ():
                try:
                    await engine.commands.send("wake_up")
                except ServerError:
                    await engine.stop()  # its supervisor starts it again
            if self.serving:
                self.availability.set("serving")
            else:
                self.availability.set_starting("starting", "the engine is starting")
            self._supervisor.awake.set()

    # -- following the ledger ----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            async with self._changing:
                if self._supervisor.awake.is_set():
                    try:
                        promoted, move = await self._registry.promoted()
                        if promoted and move != self._refused and not self._serves(promoted):
                            await self._swap(promoted, move)
                    except RunDirError as error:
                        logger.warning("%s", error)
            await asyncio.sleep(POLL_SECONDS)

    def _serves(self, promoted: Checkpoint) -> bool:
        served = self.serving.checkpoint if self.serving else None
        return served is not None and (served.round, served.digest) == (promoted.round, promoted.digest)

    async def _swap(self, checkpoint: Checkpoint, move: int) -> None:
        started = time.monotonic()
        if self.serving is None:
            self.availability.set_starting("starting", f"{checkpoint.name} is being loaded")
        elif self.availability.state == "serving":
            self.availability.set("swapping")
        try:
            deployment = await self._deploy(checkpoint)
        except (InverseInstructError, OSError, ValueError) as error:
            self._refused = move
            await self._refuse(checkpoint, str(error))
            return
        self._switch(deployment)
        seconds = time.monotonic() - started
        self.metrics.swaps.labels("done").inc()
        self.metrics.swap_seconds.observe(seconds)
        await self._registry.record(
            f"{checkpoint.name} is served, {seconds:.1f} s after it was seen promoted", checkpoint.round
        )

    async def _refuse(self, checkpoint: Checkpoint, reason: str) -> None:
        """Go on with what is served, and say so in the ledger."""
        self.metrics.swaps.labels("failed").inc()
        if self.serving is None:
            self.availability.set("failed", f"{checkpoint.name} cannot be served, see the ledger")
        elif self.availability.state == "swapping":
            self.availability.set("serving")
        await self._registry.take_back(checkpoint, self.serving.checkpoint if self.serving else None, reason)

    async def _deploy(self, checkpoint: Checkpoint) -> Deployment:
        old = self.serving
        folder = await asyncio.to_thread(self._deployer.prepare, checkpoint)
        if self.section.mode == "in_place" and old:
            async with self.admission.closed():
                await self._drain(old)
                self.serving = await self._deployer.exchange(old, checkpoint, folder)
                return self.serving  # those who waited come in now
        started = time.monotonic()
        deployment = await self._deployer.start(checkpoint, folder)
        self.availability.note_start(time.monotonic() - started)
        return deployment

    def _switch(self, deployment: Deployment) -> None:
        """Send new requests to a deployment from now on; the one before drains and goes."""
        old, self.serving = self.serving, deployment
        self.availability.set("serving")
        self.metrics.set_checkpoint(deployment.checkpoint.name, deployment.checkpoint.digest)
        if old and old.engines != deployment.engines:
            self._spawn(self._retire(old))
        for engine in deployment.engines:
            self._supervisor.watch(engine, lambda: self.serving)

    async def _drain(self, deployment: Deployment) -> None:
        seconds = self.section.drain_timeout_seconds
        await asyncio.gather(*(engine.drain(seconds) for engine in deployment.engines))

    async def _retire(self, deployment: Deployment) -> None:
        for engine in deployment.engines:
            engine.retiring = True
            self._retired[engine] = None
        await self._drain(deployment)
        for engine in deployment.engines:
            await self._supervisor.release(engine)
            await engine.close()
            self._retired.pop(engine, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.critical("the service no longer follows the ledger", exc_info=task.exception())
            self.availability.set("failed", "the service no longer follows the ledger; start it again")

"""What is served: follows the ledger's promoted checkpoint, and says which engine a request goes to.

Enters: the ledger, looked at twice a second. Leaves: the engine for a request, or an `ApiError` that says when to come
again. A promoted checkpoint whose engine has no room or does not start is tried again later, and the old one serves
until then. What cannot be served at all is taken back in the ledger, with the reason: after every swap, "promoted" is
what is served. Not guaranteed: an answer while the only engine is started again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import InverseInstructError, NoRoomError, RunDirError, StartError
from inverse_instruct.gateway.availability import Availability, State
from inverse_instruct.gateway.deployed import Deployed
from inverse_instruct.gateway.deployment import Deployer, Deployment
from inverse_instruct.gateway.engine_supervisor import EngineSupervisor
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.gateway.handover import Handover
from inverse_instruct.gateway.limits import Admission
from inverse_instruct.gateway.metrics import Metrics
from inverse_instruct.gateway.postponed import Postponed
from inverse_instruct.gateway.promoted import Registry
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.web.api_error import ApiError

CURRENT = "current"
POLL_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Service:
    """The engines of a run's promoted checkpoint."""

    def __init__(self, config: RunConfig, run_dir: RunDir, shared: SharedDevices | None = None) -> None:
        """Prepare; `start` begins.

        Args:
            config: of the run.
            run_dir: the run.
            shared: devices that are left to runs behind the gateway when they want them; None: they are its own.

        Raises:
            RunDirError: the ledger is damaged.
        """
        self.section = config.serve
        self.admission = Admission(self.section.max_concurrent, self.section.max_waiting)
        self.metrics = Metrics(lambda: self.admission.in_flight, lambda: self.admission.waiting)
        self.availability = Availability()
        self._registry = Registry(run_dir.ledger)
        self._deployer = Deployer(config, run_dir.logs, [shared.devices] if shared else [])
        self._supervisor = EngineSupervisor(
            self._deployer,
            self._registry,
            self.availability,
            self.metrics,
            max_restarts=config.inference.max_restarts,
            logs=run_dir.logs,
        )
        self._deployed = Deployed(self._supervisor, self.section.drain_timeout_seconds)
        self._handover = shared and Handover(
            shared,
            self._deployed,
            self._supervisor.awake,
            self.availability,
            sleeps=self.section.during_training == "sleep",
        )
        self._following: asyncio.Task[None] | None = None
        self._refused = 0  # id of the promotion that could not be followed
        self._postponed: Postponed | None = None  # a promotion that could not be followed yet
        self._failed_starts = config.inference.max_restarts  # of one promotion, before its last attempt

    # -- for requests ------------------------------------------------------------------------------------------------

    @property
    def engines(self) -> list[Engine]:
        """All engines, those that take requests first."""
        return self._deployed.engines

    @property
    def serving(self) -> Deployment | None:
        """What requests are sent to."""
        return self._deployed.serving

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
            "postponed": self._postponed.plain() if self._postponed else None,
        }

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(self._follows_no_longer)

    async def stop(self) -> None:
        """End everything, the engines too."""
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._deployed.close()

    def cut_off(self) -> None:
        """End all requests in flight with an error."""
        for engine in self.engines:
            engine.cut_off()

    # -- following the ledger ----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                if self._handover and await self._handover.look():
                    self._refused, self._postponed = 0, None  # there is room now
                if self._supervisor.awake.is_set():
                    await self._follow_promotion(*await self._registry.promoted())
                await self._deployer.tidy({engine.folder for engine in self.engines})
            except RunDirError as error:
                logger.warning("%s", error)
            await asyncio.sleep(POLL_SECONDS)

    async def _follow_promotion(self, promoted: Checkpoint | None, move: int) -> None:
        if self._postponed and self._postponed.move != move:
            self._postponed = None
        if promoted is None or move == self._refused or self._serves(promoted):
            return
        if self._postponed is None or self._postponed.is_due():
            await self._swap(promoted, move)

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
        except StartError as error:
            await self._postpone(checkpoint, move, error)
            return
        except (InverseInstructError, OSError, ValueError) as error:
            await self._refuse(checkpoint, move, str(error))
            return
        self._postponed = None
        self._deployed.switch(deployment)
        self.metrics.set_checkpoint(checkpoint.name, checkpoint.digest)
        self.availability.set("serving")
        seconds = time.monotonic() - started
        self.metrics.swaps.labels("done").inc()
        self.metrics.swap_seconds.observe(seconds)
        await self._registry.record(
            f"{checkpoint.name} is served, {seconds:.1f} s after it was seen promoted", checkpoint.round
        )

    async def _postpone(self, checkpoint: Checkpoint, move: int, error: StartError) -> None:
        """Go on with what is served, and try the checkpoint again later, or never where that has no prospect."""
        self._postponed = self._postponed or Postponed(checkpoint.name, move)
        wait = self._postponed.note(error)
        if not self._postponed.may_try(self._failed_starts):
            await self._refuse(checkpoint, move, str(error))
            return
        self.metrics.swaps.labels("postponed").inc()
        self._go_on("waiting", f"{checkpoint.name} cannot be served yet, see the ledger")
        await self._registry.record(
            f"{checkpoint.name} cannot be served yet, and is tried again in {wait:.0f} s: {error}", checkpoint.round
        )

    async def _refuse(self, checkpoint: Checkpoint, move: int, reason: str) -> None:
        """Go on with what is served, and say so in the ledger."""
        self._refused, self._postponed = move, None
        self.metrics.swaps.labels("failed").inc()
        self._go_on("failed", f"{checkpoint.name} cannot be served, see the ledger")
        await self._registry.take_back(checkpoint, self.serving.checkpoint if self.serving else None, reason)

    def _go_on(self, state: State, reason: str) -> None:
        """Go on with what is served; the state and the reason are those of a service that has nothing."""
        if self.serving is None:
            self.availability.set(state, reason)
        elif self.availability.state == "swapping":
            self.availability.set("serving")

    async def _deploy(self, checkpoint: Checkpoint) -> Deployment:
        old = self.serving
        folder = await asyncio.to_thread(self._deployer.prepare, checkpoint)
        if old and self.section.mode == "in_place":
            return await self._exchange(old, checkpoint, folder)
        started = time.monotonic()
        try:
            deployment = await self._deployer.start(checkpoint, folder)
        except NoRoomError as error:
            if old is None or not self._deployer.can_exchange(old, folder):
                raise
            await self._registry.record(f"{checkpoint.name} comes into the running engine: {error}", checkpoint.round)
            return await self._exchange(old, checkpoint, folder)
        self.availability.note_start(time.monotonic() - started)
        return deployment

    async def _exchange(self, old: Deployment, checkpoint: Checkpoint, folder: Path) -> Deployment:
        async with self.admission.closed():
            await self._deployed.drain(old)
            self._deployed.serving = await self._deployer.exchange(old, checkpoint, folder)
            return self._deployed.serving  # those who waited come in now

    def _follows_no_longer(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            logger.critical("the service no longer follows the ledger", exc_info=task.exception())
            self.availability.set("failed", "the service no longer follows the ledger; start it again")

"""A checkpoint in engines: brought up anew, or exchanged in engines that run.

Enters: a checkpoint of the ledger. Leaves: a `Deployment` whose engines gave the right canary, or an error, and then
everything is as it was before. A checkpoint that is not whole never reaches an engine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ModelError, ServerError
from inverse_instruct.gateway.canary_check import check_canary
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.gateway.memory import check_memory
from inverse_instruct.gateway.request_defaults import RequestDefaults, read_request_defaults
from inverse_instruct.inference.canary import Canary
from inverse_instruct.inference.chat_options import chat_options
from inverse_instruct.inference.fleet import groups_for, visible
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.untied import discard_untied, untied_folder
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger_rows import Checkpoint

Result = TypeVar("Result")


@dataclass(frozen=True)
class Deployment:
    """A checkpoint and the engines that have it."""

    checkpoint: Checkpoint
    folder: Path  # what the engines load
    engines: tuple[Engine, ...]
    canary: Canary
    defaults: RequestDefaults

    @property
    def label(self) -> str:
        """How replies name the checkpoint that gave them."""
        return f"{self.checkpoint.name}@{self.checkpoint.digest}"

    def pick(self) -> Engine | None:
        """Return the ready engine with the fewest requests, if there is one."""
        return min(
            (engine for engine in self.engines if engine.ready), key=lambda engine: engine.in_flight, default=None
        )


class Deployer:
    """Makes deployments of a run's checkpoints."""

    def __init__(self, config: RunConfig, logs: Path, files: Sequence[int] = ()) -> None:
        """Prepare nothing yet.

        Args:
            config: of the run.
            logs: folder for the engines' logs.
            files: open files that stay open until no engine is left.
        """
        self._config = config
        self._logs = logs
        self._files = files
        share = config.serve.gpu_memory_utilization or config.inference.gpu_memory_utilization
        self._engine = config.inference.model_copy(update={"port": 0, "gpu_memory_utilization": share})
        self._canaries: dict[str, Canary] = {}  # by digest, as measured here
        self._defaults: dict[str, RequestDefaults] = {}  # by digest, of what was prepared
        self._untied: dict[Path, str] = {}  # folders that were made, and the digests of their checkpoints
        self._fixed: set[Path] = set()  # folders whose weights cannot be exchanged, with ties that are not understood

    def prepare(self, checkpoint: Checkpoint) -> Path:
        """Check the files of a checkpoint; return the folder that engines load. Reads all weights: seconds.

        Where it can be, the weights of that folder can be exchanged in a running engine.

        Raises:
            ModelError: it is damaged, is not the checkpoint that was measured, or cannot be spoken to.
        """
        verify_checkpoint(checkpoint)
        folder = Path(checkpoint.path)
        self._defaults[checkpoint.digest] = read_request_defaults(folder, self._config.model)
        try:
            untied = untied_folder(folder, checkpoint.digest)
        except ModelError:
            if self._config.serve.mode == "in_place":
                raise
            self._fixed.add(folder)
            return folder
        if untied != folder:
            self._untied[untied] = checkpoint.digest
        return untied

    def can_exchange(self, old: Deployment, folder: Path) -> bool:
        """Tell whether the weights of a prepared folder can be brought into the engines of a deployment."""
        return not self._fixed & {old.folder, folder}

    async def tidy(self, used: Set[Path]) -> None:
        """Remove the folders that `prepare` has made, but those that engines use."""
        for folder in self._untied.keys() - used:
            await asyncio.to_thread(discard_untied, self._untied.pop(folder))

    async def start(self, checkpoint: Checkpoint, folder: Path) -> Deployment:
        """Bring a checkpoint up in engines of its own, or in the given ones for the first time.

        Raises:
            NoRoomError: there is no room.
            StartError: an engine does not become healthy.
            ServerError: its canary is wrong.
        """
        engines = await asyncio.to_thread(self._new_engines, checkpoint, folder)
        try:
            await _all(engine.start(self._config.inference.start_timeout_seconds) for engine in engines)
            canary = await self._examine(engines, checkpoint, None)
        except BaseException:
            await _all(engine.close() for engine in engines)
            raise
        for engine in engines:
            engine.ready = True
        return Deployment(checkpoint, folder, engines, canary, self._defaults[checkpoint.digest])

    async def exchange(self, old: Deployment, checkpoint: Checkpoint, folder: Path) -> Deployment:
        """Bring a checkpoint into the engines of another; they should have no request.

        Raises:
            ServerError: it did not work; the engines have their old weights, or are started again with them.
        """
        async with AsyncExitStack() as held:
            for engine in old.engines:
                await held.enter_async_context(engine.changing)
            try:
                await _all(self._load(engine, folder) for engine in old.engines)
                stale = old.canary if old.checkpoint.digest != checkpoint.digest else None
                canary = await self._examine(old.engines, checkpoint, stale)
            except ServerError:
                await _all(self._restore(engine, old) for engine in old.engines)
                raise
        return Deployment(checkpoint, folder, old.engines, canary, self._defaults[checkpoint.digest])

    async def restart(self, engine: Engine, deployment: Deployment) -> None:
        """Start an engine again with the weights of its deployment.

        Raises:
            ServerError: it does not become healthy, or its canary is wrong.
        """
        await asyncio.to_thread(self.prepare, deployment.checkpoint)
        engine.folder = deployment.folder
        await engine.start(self._config.inference.start_timeout_seconds)
        await check_canary(engine, self._config.model, known=deployment.canary)

    async def _load(self, engine: Engine, folder: Path) -> None:
        if engine.alive and await engine.healthy():
            await engine.load(folder)
        else:
            engine.folder = folder
            await engine.start(self._config.inference.start_timeout_seconds)
        engine.ready = True

    async def _restore(self, engine: Engine, old: Deployment) -> None:
        try:
            await self._load(engine, old.folder)
            await check_canary(engine, self._config.model, known=old.canary)
        except ServerError:
            engine.folder = old.folder
            await engine.stop()  # whoever watches it starts it again

    async def _examine(self, engines: Iterable[Engine], checkpoint: Checkpoint, stale: Canary | None) -> Canary:
        recorded = checkpoint.metrics.get("canary")
        known = Canary(**recorded) if recorded else self._canaries.get(checkpoint.digest)
        canaries = await _all(check_canary(engine, self._config.model, known=known, stale=stale) for engine in engines)
        self._canaries[checkpoint.digest] = canaries[0]
        return canaries[0]

    def _new_engines(self, checkpoint: Checkpoint, folder: Path) -> tuple[Engine, ...]:
        section = self._config.serve
        if section.endpoints:
            return tuple(Engine(folder, None, url) for url in section.endpoints)
        groups = groups_for(self._engine, section.replicas, section.devices)
        check_memory(folder, self._engine, groups)
        return tuple(
            Engine(folder, self._new_server(checkpoint, folder, number, devices))
            for number, devices in enumerate(groups)
        )

    def _new_server(self, checkpoint: Checkpoint, folder: Path, number: int, devices: list[str]) -> VllmServer:
        section = self._config.serve
        log = self._logs / f"serve-{checkpoint.name}-{time.strftime('%Y%m%d-%H%M%S')}-{number}.log"
        asleep = section.during_training == "sleep"
        return VllmServer(
            folder,
            self._engine,
            log=log,
            max_model_len=self._config.model.max_model_len,
            trust_remote_code=self._config.model.trust_remote_code,
            arguments=[
                "--disable-uvicorn-access-log",
                *(["--enable-sleep-mode"] if asleep else []),
                *chat_options(section),
            ],
            environment=visible(devices) | {"VLLM_SERVER_DEV_MODE": "1"},
            files=self._files,
        )


async def _all(tasks: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run all to their end, whatever happens to one of them; then raise the first error."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]

"""The engines of a run: which model they run, when they start and when they make room.

Enters: a model folder and a piece of work. Leaves: what the work gives, with a client to servers of that model; the
servers stay for the next piece. Endpoints of the config serve the model that a run starts from, and no other, unless
they take the weights of whatever is asked (`inference.reload_endpoints`). Devices that are a gateway's too are waited
for before the first use of them, and given back at the end of the run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.fleet import describe, fleet
from inverse_instruct.inference.given import Weights
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.system.shared_devices import SharedDevices

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Engines:
    """Starts and ends the run's servers."""

    def __init__(
        self,
        config: RunConfig,
        logs: Path,
        given: Path | None,
        on_event: Callable[[str], None],
        shared: SharedDevices | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            config: of the run.
            logs: folder for the servers' logs.
            given: the model that the config's endpoints serve, if it names any.
            on_event: told of restarts.
            shared: devices that a gateway uses in turn with this run; None: they are the run's own.
        """
        self._config, self._logs, self._on_event = config, logs, on_event
        self._given = given if config.inference.endpoints else None
        self._shared = shared
        self._servers: list[VllmServer] = []
        self._weights: Weights | None = None  # that the endpoints were given last

    def ask(self, model: Path, work: Callable[[InferenceClient], Awaitable[Result]]) -> Result:
        """Run a piece of work with a client to servers for the model."""

        async def main() -> Result:
            servers = [] if self._is_given(model) else self.start(model)
            weights = self._new_weights(model) if self._config.inference.reload_endpoints else None
            async with connect(self._config.inference, servers, weights) as client:
                return await work(client)

        return asyncio.run(main())

    def _is_given(self, model: Path) -> bool:
        return self._config.inference.reload_endpoints or model == self._given

    def _new_weights(self, model: Path) -> Weights:
        last, self._weights = self._weights, Weights.of(model, self._config.model)
        if last and last.digest != self._weights.digest:
            self._weights.replaced = last.canary
        return self._weights

    def prepare(self, model: Path) -> None:
        """Let servers for the model load while other work is done; not on devices on which the gateway may serve on."""
        if not self._is_given(model) and self._shared is None:
            self.start(model)

    def start(self, model: Path) -> list[VllmServer]:
        """Return the servers, started for this model unless they run it already.

        Raises:
            DevicesError: the gateway has not freed the devices in time.
        """
        name = model_digest(model)
        if not self._servers or not all(server.alive and server.name == name for server in self._servers):
            self.clear_devices()
            section = self._config.inference
            if section.endpoints:
                self._on_event(
                    f"{model} is not what inference.endpoints serve, so it is served here: {describe(section)}"
                )
            log = self._logs / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}.log"
            self._servers = fleet(model, self._config.model, section, log)
            logger.info("%s", describe(section))
            for server in self._servers:
                server.on_event = self._on_event
                server.start()
        return self._servers

    def clear_devices(self) -> None:
        """End the servers, if there are any, and have devices with nothing on them.

        Raises:
            DevicesError: the gateway has not freed them in time.
        """
        self._end_servers()
        if self._shared:
            self._shared.take(f"run {self._config.name} uses the devices")

    def stop(self) -> None:
        """End the servers, if there are any, and leave the devices to the gateway."""
        self._end_servers()
        if self._shared:
            self._shared.give_back()

    def _end_servers(self) -> None:
        for server in self._servers:
            server.stop()
        self._servers = []

"""The one engine of a run: which model it runs, when it starts and when it makes room.

Enters: a model folder and a piece of work. Leaves: what the work gives, with a client to a server of that model; the
server stays for the next piece. Endpoints of the config serve the model that a run starts from, and no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.server import VllmServer

Result = TypeVar("Result")


class Engines:
    """Starts and ends the run's server."""

    def __init__(self, config: RunConfig, logs: Path, given: Path | None, on_event: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            config: of the run.
            logs: folder for the server's logs.
            given: the model that the config's endpoints serve, if it names any.
            on_event: told of restarts.
        """
        self._config, self._logs, self._on_event = config, logs, on_event
        self._given = given if config.inference.endpoints else None
        self._server: VllmServer | None = None

    def ask(self, model: Path, work: Callable[[InferenceClient], Awaitable[Result]]) -> Result:
        """Run a piece of work with a client to a server for the model."""

        async def main() -> Result:
            async with connect(self._config.inference, None if model == self._given else self.start(model)) as client:
                return await work(client)

        return asyncio.run(main())

    def prepare(self, model: Path) -> None:
        """Let a server for the model load while other work is done."""
        if model != self._given:
            self.start(model)

    def start(self, model: Path) -> VllmServer:
        """Return the server, started for this model unless it runs it already."""
        if self._server and self._server.alive and self._server.name == model_digest(model):
            return self._server
        self.stop()
        log = self._logs / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}.log"
        server = VllmServer(
            model,
            self._config.inference,
            max_model_len=self._config.model.max_model_len,
            log=log,
            trust_remote_code=self._config.model.trust_remote_code,
        )
        server.on_event = self._on_event
        server.start()
        self._server = server
        return server

    def stop(self) -> None:
        """End the server, if there is one."""
        if self._server:
            self._server.stop()
            self._server = None

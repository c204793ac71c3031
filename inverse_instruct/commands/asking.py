"""A model for a command on files: the config's endpoints, or a server of our own for as long as it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.stages.room import Asked


def ask(config: RunConfig, model: Path, output: Path, work: Callable[[Asked], Awaitable[None]]) -> None:
    """Do a piece of work with a model; the log of a server goes into `output`."""
    section, words = config.inference, config.model
    formatter = PromptFormatter(model, words.prompt_format, words.template_date)

    async def with_client(client: InferenceClient) -> None:
        await work(Asked(client, formatter, model_digest(model), words.max_model_len))

    async def main() -> None:
        if section.endpoints:
            async with connect(section, None) as client:
                return await with_client(client)
        server = VllmServer(
            model,
            section,
            max_model_len=words.max_model_len,
            log=output / "vllm.log",
            trust_remote_code=words.trust_remote_code,
        )
        server.start()
        try:
            async with connect(section, server) as client:
                await with_client(client)
        finally:
            server.stop()

    asyncio.run(main())

"""A model for a command on files: the config's endpoints, or servers of our own for as long as they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.fleet import fleet
from inverse_instruct.inference.given import Weights
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.stages.questions import Asked


def ask(config: RunConfig, model: Path, output: Path, work: Callable[[Asked], Awaitable[None]]) -> None:
    """Do a piece of work with a model; the log of a server goes into `output`."""
    section, words = config.inference, config.model
    formatter = PromptFormatter(model, words.prompt_format, words.template_date)

    async def with_client(client: InferenceClient) -> None:
        await work(Asked(client, formatter, model_digest(model), words.max_model_len))

    servers = [] if section.endpoints else fleet(model, words, section, output / "vllm.log")
    weights = Weights.of(model, words) if section.reload_endpoints else None

    async def main() -> None:
        async with connect(section, servers, weights) as client:
            await with_client(client)

    try:
        for server in servers:
            server.start()
        asyncio.run(main())
    finally:
        for server in servers:
            server.stop()

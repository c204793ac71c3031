"""Whether an engine has the weights that it should have, and gives numbers: one question with known answers.

Enters: an engine, and what is known of the checkpoint. Leaves: the canary as the engine answers it, or a `ServerError`.
Not guaranteed: that two checkpoints which answer this one question alike are told apart.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from inverse_instruct.config.sections import ModelSection
from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.inference.canary import Canary, ask_canary, judge_canary
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter

CANARY_SECONDS = 120.0


async def check_canary(
    engine: Engine, model: ModelSection, *, known: Canary | None = None, stale: Canary | None = None
) -> Canary:
    """Ask an engine the canary question and judge its answer.

    Args:
        engine: it must be running; it is asked directly, beside whatever else it does.
        model: how the model is spoken to.
        known: the answer of these weights, where it was measured before.
        stale: the answer of the weights that were in the engine before.

    Raises:
        ServerError: it does not answer, gives no numbers, others than known, or still those of the old weights.
    """
    return judge_canary(await _ask(engine, model, known), known=known, stale=stale)


async def _ask(engine: Engine, model: ModelSection, known: Canary | None) -> Canary:
    async with InferenceClient(
        {engine.url: None}, engine.model, concurrency=1, timeout_seconds=CANARY_SECONDS, key=engine.key
    ) as client:
        try:
            if known:
                logprobs = await client.label_logprobs([known.prompt], known.labels)
                return Canary(known.prompt, known.labels, logprobs[0])
            return await ask_canary(
                client, await asyncio.to_thread(_formatter, engine.folder, model), (model.yes_token, model.no_token)
            )
        except RequestError as error:
            raise ServerError(f"the canary got no answer: {error}") from error


def _formatter(folder: Path, model: ModelSection) -> PromptFormatter:
    return PromptFormatter(folder, model.prompt_format, model.template_date)

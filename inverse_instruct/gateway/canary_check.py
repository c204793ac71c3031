"""Whether an engine has the weights that it should have, and gives numbers: one question with known answers.

Enters: an engine, and what is known of the checkpoint. Leaves: the canary as the engine answers it, or a `ServerError`.
Not guaranteed: that two checkpoints which answer this one question alike are told apart.
"""

from __future__ import annotations

import asyncio

from inverse_instruct.config.sections import ModelSection
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.inference.canary import Canary, ask_canary, ask_engine, judge_canary
from inverse_instruct.inference.client import InferenceClient, Reach
from inverse_instruct.inference.prompts import PromptFormatter


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

    async def ask(client: InferenceClient) -> Canary:
        if known:
            [logprobs] = await client.label_logprobs([known.prompt], known.labels)
            return Canary(known.prompt, known.labels, logprobs)
        formatter = await asyncio.to_thread(PromptFormatter, engine.folder, model.prompt_format, model.template_date)
        return await ask_canary(client, formatter, (model.yes_token, model.no_token))

    found = await ask_engine(Reach((engine.url,), engine.model, engine.key), ask)
    return judge_canary(found, known=known, stale=stale)

"""One fixed question to a model, with exact log-probabilities of its answers: a fingerprint of the weights in use.

Enters: a client to an engine. Leaves: a `Canary`. The loop records it when a checkpoint is evaluated; asked again of an
engine that should have loaded that checkpoint, it tells whether it has. Not guaranteed: equality to the last digit, as
number formats, devices and batches differ; telling apart two checkpoints that answer alike.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.inference.client import InferenceClient, Reach
from inverse_instruct.inference.prompts import PromptFormatter

QUESTION = "Does this Python code print 7?\n\nprint(3 + 4)"
CANARY_SECONDS = 120.0
TOLERANCE = 1e-2  # nats between devices, number formats and batches
SAME = 1e-6  # closer than any training step would leave them


@dataclass(frozen=True)
class Canary:
    """What was asked, and what the model thought of the two answers."""

    prompt: list[int]  # token ids
    labels: list[int]  # token ids of yes and no
    logprobs: list[float]  # natural logarithms, one for each label, over the full vocabulary


async def ask_canary(client: InferenceClient, formatter: PromptFormatter, words: tuple[str, str]) -> Canary:
    """Ask the question in the model's own prompt format; the words are those of yes and no.

    Raises:
        ServerError: no server answers, or it cannot give such log-probabilities, which scoring needs as well.
    """
    prompt = formatter.response_prompt(QUESTION)
    labels = [formatter.single_token(word) for word in words]
    return Canary(prompt, labels, (await client.label_logprobs([prompt], labels))[0])


async def ask_engine(reach: Reach, about: Callable[[InferenceClient], Awaitable[Canary]]) -> Canary:
    """Ask one engine directly, beside whatever else it does.

    Args:
        reach: of the engine.
        about: asks a client the canary question.

    Raises:
        ServerError: it does not answer.
    """
    async with InferenceClient(
        dict.fromkeys(reach.urls), reach.model, concurrency=1, timeout_seconds=CANARY_SECONDS, key=reach.key
    ) as client:
        try:
            return await about(client)
        except RequestError as error:
            raise ServerError(f"{', '.join(reach.urls)}: the canary got no answer: {error}") from error


def judge_canary(found: Canary, *, known: Canary | None = None, stale: Canary | None = None) -> Canary:
    """Return an answer to the canary question, if it is one of the weights that should be in the engine.

    Args:
        found: the answer.
        known: the answer of these weights, where it was measured before.
        stale: the answer of the weights that were in the engine before.

    Raises:
        ServerError: it is no numbers, others than known, or still those of the old weights.
    """
    if not all(map(math.isfinite, found.logprobs)):
        raise ServerError(f"the canary's log-probabilities are {found.logprobs}: the weights give no numbers")
    if known and difference(found, known) > TOLERANCE:
        raise ServerError(
            f"the canary's log-probabilities are {found.logprobs}, but {known.logprobs} were measured of "
            "this checkpoint: the engine runs other weights, or runs them wrongly"
        )
    if stale and stale.prompt == found.prompt and difference(found, stale) < SAME:
        raise ServerError(
            "the canary's log-probabilities are those of the old weights: the engine has not taken the new ones"
        )
    return found


def difference(one: Canary, other: Canary) -> float:
    """Return by how much two answers differ at most, in nats."""
    return max(abs(a - b) for a, b in zip(one.logprobs, other.logprobs, strict=True))

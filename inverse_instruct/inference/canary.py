"""One fixed question to a model, with exact log-probabilities of its answers: a fingerprint of the weights in use.

Enters: a client to an engine. Leaves: a `Canary`. The loop records it when a checkpoint is evaluated; asked again of an
engine that should have loaded that checkpoint, it tells whether it has. Not guaranteed: equality to the last digit, as
number formats, devices and batches differ; telling apart two checkpoints that answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter

QUESTION = "Does this Python code print 7?\n\nprint(3 + 4)"


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

"""A request for completions, read as the engine will read it: what is checked is what is sent.

Enters: a body. Leaves: its fields, with the values of those that decide what it costs as the engine's own parser would
give them (`"8"`, `8.0` and `8` are the same number to it), or an `ApiError`. Of a key that comes twice the last counts
and is sent. Not guaranteed: that the engine takes the rest; it bounds what else costs (log-probabilities, stops) by
itself.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from inverse_instruct.web.api_error import ApiError

MAX_CHOICES = 1024  # prompts times `n`
CHAT = "/v1/chat/completions"


class Costs(BaseModel):
    """The fields that decide what a request costs, with the types that vLLM gives them."""

    model_config = ConfigDict(extra="ignore")

    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    min_tokens: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    truncate_prompt_tokens: int | None = None
    use_beam_search: bool | None = None  # `n` beams
    ignore_eos: bool | None = None
    echo: bool | None = None
    stream: bool | None = None


class TextCosts(Costs):
    """Of a completion."""

    logprobs: int | None = None


class ChatCosts(Costs):
    """Of a reply in a chat."""

    logprobs: bool | None = None
    top_logprobs: int | None = None


def parse_completion(body: bytes, route: str) -> dict[str, Any]:
    """Return the fields of a request for completions; a tree may be thirty times as large as its text.

    Raises:
        ApiError: 400, it is no JSON object, names no model, has a field of a wrong type, or asks for more than
            `MAX_CHOICES`.
    """
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not valid JSON ({error})") from error
    if not isinstance(tree, dict):
        raise ApiError(400, f"the body must be a JSON object, but it is {type(tree).__name__}")
    if not isinstance(tree.get("model"), str):
        raise ApiError(400, "the request names no model; use 'current'", param="model")
    try:
        costs = (ChatCosts if route == CHAT else TextCosts).model_validate(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, problem["loc"]))
        raise ApiError(400, f"{field}: {problem['msg'][0].lower()}{problem['msg'][1:]}", param=field) from error
    if _prompts(tree) * max(1, costs.n or 1, costs.best_of or 1) > MAX_CHOICES:
        raise ApiError(400, f"the request asks for more than {MAX_CHOICES} completions; send several", param="n")
    return tree | {name: getattr(costs, name) for name in costs.model_fields_set}


def _prompts(tree: dict[str, Any]) -> int:
    """Return how many prompts there are; a list of numbers is one, in token ids."""
    prompt, embeddings = tree.get("prompt"), tree.get("prompt_embeds")
    ids = isinstance(prompt, list) and all(isinstance(token, int | float) for token in prompt)
    texts = len(prompt) if isinstance(prompt, list) and not ids else 1
    return texts + (len(embeddings) if isinstance(embeddings, list) else 0)

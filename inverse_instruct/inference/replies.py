"""Reads the replies of an OpenAI-compatible server, and trusts nothing in them.

Enters: the bytes of a reply. Leaves: a completion, or log-probabilities; a reply that is not exactly what was asked for
is a `BadReply`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inverse_instruct.inference.attempts import BadReply, BadScore, NoLogprobs

FINISHED = ("stop", "length")
MAX_TOKENS = 2**31
MAX_LOGPROB = 1e-3  # rounding may lift the logarithm of 1 a little above 0


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply of the model."""

    text: str
    finish_reason: str  # "stop" or "length"
    prompt_tokens: int
    completion_tokens: int


def read_reply(url: str, content: bytes) -> dict[str, Any]:
    """Return the JSON object that a reply holds.

    Raises:
        BadReply: it holds none.
    """
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"{url} gave no JSON ({type(error).__name__}): {content[:80]!r}") from error
    if not isinstance(reply, dict):
        raise BadReply(f"{url} gave no JSON object: {content[:80]!r}")
    return reply


def check_model(reply: dict[str, Any], model: str) -> None:
    """Return if a reply is from the model that was asked; a server may leave its name out.

    Raises:
        BadReply: another one answered.
    """
    name = reply.get("model", model)
    if name != model:
        raise BadReply(f"the model {_brief(name)} answered in place of {model!r}")


def read_completion(reply: dict[str, Any], *, chat: bool = False) -> Completion:
    """Return the one completion of a reply.

    Raises:
        BadReply: there is not exactly one, or it is not whole.
    """
    choice = _choices(reply, 1)[0]
    try:
        usage = reply["usage"]
        text = (choice["message"].get("content") or "") if chat else choice["text"]
        completion = Completion(
            text, choice["finish_reason"], _count(usage["prompt_tokens"]), _count(usage["completion_tokens"])
        )
        completion.text.encode()  # half of a surrogate pair could not be written to a file
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadReply(f"a reply that cannot be read ({type(error).__name__}: {error})") from error
    if completion.finish_reason not in FINISHED:
        raise BadReply(f"a reply that ended with finish_reason {_brief(completion.finish_reason)}")
    return completion


def read_label_logprobs(reply: dict[str, Any], prompts: int, labels: Sequence[int]) -> list[list[float]]:
    """Return the labels' log-probabilities for each prompt.

    Raises:
        BadReply: not one choice for each prompt, or a value that no log-probability has.
        NoLogprobs: a label is missing.
    """
    return [
        [_logprob(found, label) for label in labels]
        for found in (_first_tokens(choice) for choice in _choices(reply, prompts))
    ]


def read_prompt_logprobs(reply: dict[str, Any], prompt: Sequence[int], start: int) -> list[float]:
    """Return the log-probabilities of a prompt's tokens from `start` on.

    Raises:
        BadReply: not one choice, or a value that no log-probability has.
        NoLogprobs: they are missing.
    """
    found = _choices(reply, 1)[0].get("prompt_logprobs")
    if not isinstance(found, list) or len(found) != len(prompt):
        raise NoLogprobs("the server gives no log-probabilities of the tokens of a prompt")
    return [_prompt_logprob(found[place], prompt[place]) for place in range(start, len(prompt))]


def _prompt_logprob(found: Any, token: int) -> float:
    entry = found.get(str(token)) if isinstance(found, dict) else None
    value = entry.get("logprob") if isinstance(entry, dict) else None
    return _logprob({f"token_id:{token}": value} if entry else {}, token)


def _choices(reply: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the choices in the order of the prompts."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise BadReply("a reply without choices")
    found = {choice.get("index"): choice for choice in choices if type(choice.get("index")) is int}
    if len(choices) != count or found.keys() != set(range(count)):
        raise BadReply(f"{len(choices)} choices, numbered {sorted(map(str, found))[:5]}, for {count} prompts")
    return [found[number] for number in range(count)]


def _brief(value: Any) -> str:
    """Show a value of any size and depth in a message."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else repr(value)[:80]


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_TOKENS:
        raise ValueError(f"{_brief(value)} is no number of tokens")
    return value


def _first_tokens(choice: dict[str, Any]) -> dict[str, Any]:
    try:
        found = choice["logprobs"]["top_logprobs"][0]
    except (KeyError, TypeError, IndexError) as error:
        raise BadScore(f"a reply without log-probabilities ({type(error).__name__}: {error})") from error
    if not isinstance(found, dict):
        raise BadScore(f"a reply with {_brief(found)} as log-probabilities")
    return found


def _logprob(found: dict[str, Any], label: int) -> float:
    if f"token_id:{label}" not in found:
        raise NoLogprobs(f"the server gives no log-probability for token {label}")
    value = found[f"token_id:{label}"]
    try:
        logprob = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        logprob = math.nan
    if math.isnan(logprob) or logprob > MAX_LOGPROB:
        raise BadScore(f"the server gave {_brief(value)} as the log-probability of token {label}")
    return logprob

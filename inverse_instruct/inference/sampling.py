"""How a completion is sampled, said in full in every request.

What a request leaves out, vLLM takes from the `generation_config.json` of the model, in silence: a `top_k` of 20, or a
penalty on repetitions. So every request names all of these fields, the neutral value where nobody asks for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NEUTRAL: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Field of a request -> the value that changes no probability."""
EXTENSIONS = frozenset({"top_k", "min_p", "repetition_penalty"})
"""Of these the ones that not every OpenAI-compatible server knows."""


MAX_STOPS = 4
"""Texts that end a reply which a server takes in one request: OpenAI's, and vLLM unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is sampled; the fields are those of the completions endpoint.

    A server is told of the first `MAX_STOPS` texts of `stop`; at the others the client cuts the reply.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return what a request says about its sampling: everything."""
        return NEUTRAL | {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty,
            "stop": list(self.stop[:MAX_STOPS]),
            "stop_token_ids": list(self.stop_token_ids),
        }

    def end(self, text: str) -> str:
        """Return the text up to the first of the texts that end a reply."""
        places = [text.find(stop) for stop in self.stop[MAX_STOPS:]]
        return text[: min((place for place in places if place >= 0), default=len(text))]

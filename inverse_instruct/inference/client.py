"""The only HTTP client to inference servers: bounded concurrency, retries with backoff, typed errors.

Enters: token ids. Leaves: text, or exact log-probabilities of given tokens. A request that fails because of the server
(connection, timeout, 429, 5xx) is sent again, to another endpoint if there is one; a request that is refused for what
it holds is a `RequestError` for that row alone.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx

from inverse_instruct.errors import RequestError, ServerError

Answer = TypeVar("Answer")

MAX_ATTEMPTS = 8
REFUSED = (400, 413, 422)  # for what the prompt holds
CURABLE = (408, 409, 425, 429)
BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is sampled; the fields are those of the completions endpoint."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply of the model."""

    text: str
    finish_reason: str  # "stop" or "length"
    prompt_tokens: int
    completion_tokens: int


class InferenceClient:
    """Asks one or several equal servers; the endpoint with the fewest requests in flight is next."""

    def __init__(self, endpoints: Sequence[str], model: str, *, concurrency: int, timeout_seconds: float,
                 revive: Callable[[], Awaitable[None]] | None = None) -> None:
        """Prepare the client; `async with` opens it.

        Args:
            endpoints: base URLs.
            model: name under which the servers know the model.
            concurrency: requests in flight over all endpoints.
            timeout_seconds: limit of one request.
            revive: called after a failed connection; returns once the server is up again, or raises ServerError.
        """
        self._in_flight = {url.rstrip("/").removesuffix("/v1"): 0 for url in endpoints}
        self.model = model
        self._revive = revive
        self._reviving = asyncio.Lock()
        self._slots = asyncio.Semaphore(concurrency)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=2)
        self._http = httpx.AsyncClient(timeout=timeout_seconds, limits=limits, trust_env=False)

    async def __aenter__(self) -> InferenceClient:
        """Open the connection pool."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        """Close the connection pool; requests in flight are dropped, and the server frees them."""
        await self._http.aclose()

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        """Return the model's reply to a prompt of token ids.

        Raises:
            RequestError: the server refuses this prompt.
            ServerError: no server answers any more.
        """
        body = {
            "prompt": prompt, "seed": seed, "max_tokens": sampling.max_tokens, "temperature": sampling.temperature,
            "top_p": sampling.top_p, "repetition_penalty": sampling.repetition_penalty, "stop": list(sampling.stop),
            "stop_token_ids": list(sampling.stop_token_ids),
        }
        return await self._ask("completions", body, lambda reply: _read_completion(reply, reply["choices"][0]["text"]))

    async def chat(self, message: str, sampling: Sampling, seed: int | None = None) -> Completion:
        """Return the model's reply to a user's message, in the server's own chat format.

        Only what every OpenAI-compatible server knows is sent: no repetition penalty, no stop token ids.

        Raises:
            RequestError: the server refuses this message.
            ServerError: no server answers any more.
        """
        body = {
            "messages": [{"role": "user", "content": message}], "seed": seed, "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature, "top_p": sampling.top_p,
        } | ({"stop": list(sampling.stop)} if sampling.stop else {})
        return await self._ask("chat/completions", body, lambda reply: _read_completion(
            reply, reply["choices"][0]["message"].get("content") or ""))

    async def label_logprobs(self, prompts: list[list[int]], labels: Sequence[int]) -> list[list[float]]:
        """Return log-probabilities of the given tokens as the next one, exact over the full vocabulary.

        Args:
            prompts: token ids, sent as one request so that they share their cached prefix.
            labels: token ids to look up.

        Returns:
            One list of `len(labels)` natural logarithms per prompt.

        Raises:
            RequestError: the server refuses the prompts, or gives NaN.
            ServerError: no server answers any more, or it cannot give such log-probabilities at all.
        """
        body = {
            "prompt": prompts, "max_tokens": 1, "temperature": 0, "logprobs": 0, "logprob_token_ids": list(labels),
            "return_tokens_as_token_ids": True,
        }
        return await self._ask("completions", body, lambda reply: _read_label_logprobs(reply, len(prompts), labels))

    async def _ask(self, route: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]) -> Answer:
        body = {"model": self.model} | body
        trouble = ""
        failures = dict.fromkeys(self._in_flight, 0)
        async with self._slots:
            for attempt in range(MAX_ATTEMPTS):
                url = min(failures, key=lambda endpoint: (failures[endpoint], self._in_flight[endpoint]))
                failures[url] += 1
                self._in_flight[url] += 1
                try:
                    response = await self._http.post(f"{url}/v1/{route}", json=body)
                    if response.status_code < 400:
                        return read(response.json())
                    trouble = f"{url} answered {response.status_code}: {_error_text(response)}"
                    if response.status_code in REFUSED:
                        raise RequestError(trouble)
                    if response.status_code < 500 and response.status_code not in CURABLE:
                        raise ServerError(f"{trouble}; check the endpoint, its key and the model's name")
                except httpx.TransportError as error:
                    trouble = f"{url}: {type(error).__name__} {error}".rstrip()
                    if self._revive:
                        async with self._reviving:
                            await self._revive()
                except (ValueError, KeyError, IndexError, TypeError) as error:
                    trouble = f"{url} gave an answer that cannot be read ({type(error).__name__}: {error})"
                finally:
                    self._in_flight[url] -= 1
                await asyncio.sleep(min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2**attempt) * random.uniform(0.5, 1))
        raise ServerError(f"gave up after {MAX_ATTEMPTS} attempts; the last trouble: {trouble}")


async def served_name(endpoint: str) -> str:
    """Return the name of the model that an OpenAI-compatible server runs.

    Raises:
        ServerError: it does not answer, or serves nothing.
    """
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            reply = (await client.get(f"{endpoint.rstrip('/').removesuffix('/v1')}/v1/models")).json()
            return str(reply["data"][0]["id"])
    except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ServerError(f"{endpoint} does not answer as an OpenAI-compatible server ({type(error).__name__}); start "
                          "it, or name none to have one started") from error


def _read_completion(reply: dict[str, Any], text: Any) -> Completion:
    choice, usage = reply["choices"][0], reply["usage"]
    return Completion(str(text), str(choice["finish_reason"]), int(usage["prompt_tokens"]),
                      int(usage["completion_tokens"]))


def _read_label_logprobs(reply: dict[str, Any], prompts: int, labels: Sequence[int]) -> list[list[float]]:
    choices = sorted(reply["choices"], key=lambda choice: choice["index"])
    if len(choices) != prompts:
        raise ValueError(f"{len(choices)} choices for {prompts} prompts")
    rows = []
    for choice in choices:
        found = choice["logprobs"]["top_logprobs"][0]
        missing = [label for label in labels if f"token_id:{label}" not in found]
        if missing:
            raise ServerError(f"the server gives no log-probability for token {missing[0]}; scoring needs one that "
                              "knows logprob_token_ids, such as vLLM 0.32")
        row = [float(found[f"token_id:{label}"]) for label in labels]
        if any(math.isnan(value) for value in row):
            raise RequestError("the server gave NaN as a log-probability")
        rows.append(row)
    return rows


def _error_text(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return response.text[:300]

"""The only HTTP client to inference servers: bounded concurrency, retries with backoff, typed errors.

Enters: token ids. Leaves: text, or exact log-probabilities of given tokens. An attempt that fails because of the server
or of what lies between is made again, at another endpoint if there is one (`attempts` tells how often); a row that is
refused, or never answered, is a `RequestError` for that row alone. A field of the sampling that a server does not know
is left out from then on, and said so. Rows that were in flight when the engine died are
sent again one at a time, so that one which kills it is found and set aside. Too many failed rows are a `ServerError`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, TypeVar

import aiohttp

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.inference.attempts import AttemptFailed, BadReply, Overloaded, TooSlow, Unavailable, check_status
from inverse_instruct.inference.endpoint import Backend, Endpoint, choose, together
from inverse_instruct.inference.failures import FailedShare
from inverse_instruct.inference.replies import (
    Completion,
    check_model,
    read_completion,
    read_label_logprobs,
    read_prompt_logprobs,
    read_reply,
)
from inverse_instruct.inference.sampling import EXTENSIONS, NEUTRAL, Sampling
from inverse_instruct.records import Reason

Answer = TypeVar("Answer")

BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 8.0
CONNECT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 2.0  # servers close an idle connection after five
SETTLE_SECONDS = 3.0  # an engine that dies answers with errors for so long before its process ends
MAX_REPLY_BYTES = 64 * 2**20  # far above any reply
KILLS = 2  # deaths of the engine with a row alone in flight after which the row is set aside
MAX_FAILED_SHARE = 0.03
API_KEY = "INVERSE_INSTRUCT_API_KEY"
WRITER_API_KEY = "INVERSE_INSTRUCT_WRITER_API_KEY"
"""Environment variable with the key for endpoints that the config names; servers that we start are asked without."""

logger = logging.getLogger(__name__)


@dataclass
class Attempts:
    """What one request has met so far."""

    failures: Counter[Endpoint] = field(default_factory=Counter)
    by_kind: Counter[type[AttemptFailed]] = field(default_factory=Counter)
    last: tuple[Endpoint, AttemptFailed, int] | None = None  # the last failure, where its start did not end with it
    deaths: list[tuple[Endpoint, int]] = field(default_factory=list)  # starts that ended with this request in flight

    def pause_seconds(self, failed: AttemptFailed) -> float:
        """Count a failed attempt and return how long to wait now.

        Raises:
            RequestError: it was the last attempt.
            ServerError: it was, and another row would not fare better.
        """
        kind = type(failed)
        self.by_kind[kind] += 1
        if self.by_kind[kind] >= kind.max_attempts:
            raise failed.final() from failed
        backoff = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (self.by_kind.total() - 1))
        return max(failed.wait_seconds, float(backoff) * random.uniform(0.5, 1))


@dataclass(frozen=True)
class Reach:
    """Where servers are asked."""

    urls: tuple[str, ...]
    model: str  # the name under which they know it
    key: str | None = field(repr=False)


class InferenceClient:
    """Asks one or several equal servers."""

    def __init__(
        self,
        endpoints: Mapping[str, Backend | None],
        model: str,
        *,
        concurrency: int,
        timeout_seconds: float,
        max_failed_share: float = MAX_FAILED_SHARE,
        key: str | None = None,
    ) -> None:
        """Prepare the client; `async with` opens it.

        Args:
            endpoints: base URL -> what is brought back after a failed attempt there, if it is not well.
            model: name under which the servers know the model.
            concurrency: requests in flight at each endpoint.
            timeout_seconds: limit of one attempt, from its first byte to the last.
            max_failed_share: of the rows, that may fail for good.
            key: sent to all of them as a bearer token, so for endpoints that it was given for alone.
        """
        self._endpoints = [
            Endpoint(base_url(url), backend, asyncio.Semaphore(concurrency)) for url, backend in endpoints.items()
        ]
        self.model = model
        self._chat_name = ""  # the name in chat replies: of an alias it is not the one that was asked for
        self._unknown: set[str] = set()  # fields that the servers refused
        self._timeout_seconds = timeout_seconds
        self.concurrency = concurrency * len(self._endpoints)
        """Requests in flight over all endpoints."""
        self._share = FailedShare(max_failed_share)
        self._key = key
        self._http: aiohttp.ClientSession  # it wants a running loop

    @property
    def reach(self) -> Reach:
        """Where the servers are asked, for a client in another process."""
        return Reach(tuple(endpoint.url for endpoint in self._endpoints), self.model, self._key)

    async def __aenter__(self) -> InferenceClient:
        """Open the connection pool."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),  # `slots` are the limit
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS),
            headers=authorization(self._key) | {"Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a reply is what is sent, and no larger
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection pool; requests in flight are dropped, and the server frees them."""
        await self._http.close()

    def in_flight(self, url: str) -> int:
        """Return how many requests wait for a reply of an endpoint now."""
        return sum(endpoint.in_flight for endpoint in self._endpoints if endpoint.url == url)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send the requests that are made within the block to one endpoint, which keeps the prefix that they share."""
        with together(self._endpoints):
            yield

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        """Return the model's reply to a prompt of token ids.

        Raises:
            RequestError: this prompt is refused, or never answered.
            ServerError: no server answers any more, or too many rows failed.
        """
        body = {"prompt": prompt, "seed": seed} | sampling.fields()
        return _ended(await self._ask("completions", body, self._own(read_completion)), sampling)

    async def chat(self, message: str, sampling: Sampling, seed: int | None = None) -> Completion:
        """Return the model's reply to a user's message, in the server's own chat format; errors as of `complete`."""
        wanted = {name: value for name, value in sampling.fields().items() if value != []}
        body = {"messages": [{"role": "user", "content": message}], "seed": seed} | wanted

        def read(reply: dict[str, Any]) -> Completion:
            check_model(reply, self._chat_name or str(reply.get("model", "")))
            completion = read_completion(reply, chat=True)
            self._chat_name = self._chat_name or str(reply.get("model", ""))
            return completion

        return _ended(await self._ask("chat/completions", body, read), sampling)

    async def label_logprobs(self, prompts: list[list[int]], labels: Sequence[int]) -> list[list[float]]:
        """Return log-probabilities of the given tokens as the next one, exact over the full vocabulary.

        Args:
            prompts: token ids, sent as one request so that they share their cached prefix.
            labels: token ids to look up.

        Returns:
            One list of `len(labels)` natural logarithms per prompt.

        Raises:
            RequestError: the prompts are refused or never answered; of several, ask each one by itself to know which.
            ServerError: no server answers any more, it cannot give such log-probabilities, or too many rows failed.
        """
        body = NEUTRAL | {
            "prompt": prompts,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": 0,
            "logprob_token_ids": list(labels),
            "return_tokens_as_token_ids": True,
        }
        read = self._own(lambda reply: read_label_logprobs(reply, len(prompts), labels))
        return await self._ask("completions", body, read, len(prompts))

    async def prompt_logprobs(self, prompt: list[int], start: int) -> list[float]:
        """Return the log-probability of each token of a prompt from `start` on, given those before it.

        Returns:
            Natural logarithms over the full vocabulary, one for each of `prompt[start:]`.

        Raises:
            RequestError: this prompt is refused, or never answered.
            ServerError: no server answers any more, it cannot give such log-probabilities, or too many rows failed.
        """
        body = NEUTRAL | {"prompt": prompt, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
        return await self._ask("completions", body, self._own(lambda reply: read_prompt_logprobs(reply, prompt, start)))

    def _own(self, read: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
        """Return a reader that takes replies of our model only."""

        def checked(reply: dict[str, Any]) -> Answer:
            check_model(reply, self.model)
            return read(reply)

        return checked

    async def _ask(
        self, route: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer], rows: int = 1
    ) -> Answer:
        try:
            answer = await self._persist(f"v1/{route}", {"model": self.model} | body, read)
        except RequestError as error:
            if rows == 1:  # of several rows it is not known yet which one is to blame
                self._share.failed(error)
            raise
        self._share.answered(rows)
        return answer

    async def _persist(self, route: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]) -> Answer:
        """Send a request until it is answered, or must be given up."""
        attempts = Attempts()
        while True:
            endpoint, alone = self._next(attempts), bool(attempts.deaths)
            async with endpoint.slot(alone=alone):
                if self._blame_for_last(attempts):  # an engine may die a moment after its error
                    continue
                async with endpoint.gate.place(alone=alone):
                    async with endpoint.reviving:
                        pass  # one that is on its way back may not have its weights yet
                    start = endpoint.starts
                    sent = {name: value for name, value in body.items() if name not in self._unknown}
                    try:
                        return read(await self._send(endpoint, route, sent))
                    except RequestError as error:
                        if not self._leave_out(str(error), sent):
                            raise
                        continue
                    except AttemptFailed as caught:
                        failed = caught
                    attempts.failures[endpoint] += 1
                    died = await self._revive(endpoint, failed, attempts, start)
            if not died:
                attempts.last = endpoint, failed, start
                await asyncio.sleep(attempts.pause_seconds(failed))

    def _next(self, attempts: Attempts) -> Endpoint:
        """Return where a request goes now; a suspect goes where an engine has died of it, and endangers no other."""
        suspecting = [endpoint for endpoint, _ in attempts.deaths if not endpoint.is_lost]
        return choose(suspecting[-1:] or self._endpoints, attempts.failures)

    def _leave_out(self, refusal: str, sent: dict[str, Any]) -> bool:
        """Tell whether a server refused a field that it does not know; nobody is sent that one any more."""
        unknown = {name for name in EXTENSIONS & sent.keys() if name in refusal}
        for name in sorted(unknown - self._unknown):
            logger.warning(
                "the server does not take %s (%s was wanted), so it goes by its own: %s", name, sent[name], refusal
            )
        self._unknown |= unknown
        return bool(unknown)

    async def _revive(self, endpoint: Endpoint, failed: AttemptFailed, attempts: Attempts, start: int) -> bool:
        """Bring the backend back after a failed attempt; tell whether it died with this request in flight.

        Raises:
            ServerError: it does not come back, and no other one is left.
        """
        if endpoint.backend is None or isinstance(failed, BadReply | Overloaded):
            return False
        if attempts.deaths:
            await asyncio.sleep(SETTLE_SECONDS)  # before another row is sent, which would be blamed
        await self._bring_back(endpoint, counted=not attempts.deaths)
        return self._blame(endpoint, failed, attempts, start)

    async def revive(self, url: str) -> None:
        """Bring the backend of an endpoint back, whoever has noticed that it is away; nothing is asked of it meanwhile.

        Raises:
            ServerError: it does not come back, and no other one is left.
        """
        for endpoint in self._endpoints:
            if endpoint.url == url and not endpoint.is_lost:
                await self._bring_back(endpoint)

    async def _bring_back(self, endpoint: Endpoint, *, counted: bool = True) -> None:
        assert endpoint.backend is not None
        async with endpoint.reviving:
            try:
                await endpoint.backend.revive(counted=counted)
            except ServerError as error:
                if all(other.is_lost or other.backend is endpoint.backend for other in self._endpoints):
                    raise
                endpoint.is_lost = True
                logger.warning("%s is left out from now on: %s", endpoint.url, error)

    def _blame_for_last(self, attempts: Attempts) -> bool:
        """Tell whether the backend of the last failure has died since."""
        last, attempts.last = attempts.last, None
        return last is not None and self._blame(last[0], last[1], attempts, last[2])

    def _blame(self, endpoint: Endpoint, failed: AttemptFailed, attempts: Attempts, start: int) -> bool:
        """Tell whether the backend is another than the one on which this attempt failed; note its death if so."""
        if endpoint.backend is None or isinstance(failed, BadReply | Overloaded):
            return False
        if endpoint.starts == start and not endpoint.is_lost:
            return False
        attempts.deaths.append((endpoint, start))
        if len(attempts.deaths) > KILLS:
            for where, death in attempts.deaths:  # another row may have noticed one first, and had it counted
                if where.backend:
                    where.backend.uncount_restart(death)
            raise RequestError(
                f"the engine died {KILLS} times with nothing but this row in flight: {failed}", Reason.KILLS_ENGINE
            )
        return True

    async def _send(self, endpoint: Endpoint, route: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make one attempt; return the reply's JSON."""
        url = endpoint.url
        endpoint.in_flight += 1
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.post(f"{url}/{route}", json=body, allow_redirects=False) as response,
            ):
                content = await read_content(response)
        except aiohttp.ClientError as error:  # before a TimeoutError, which that of a connection also is
            raise Unavailable(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        except TimeoutError as error:
            raise TooSlow(f"{url} gave no whole reply within {self._timeout_seconds:g} s") from error
        finally:
            endpoint.in_flight -= 1
        check_status(url, response.status, response.headers, content)
        return read_reply(url, content)


def base_url(endpoint: str) -> str:
    """Return the URL of a server, which may have been given with its `/v1`."""
    return endpoint.rstrip("/").removesuffix("/v1")


def endpoint_key() -> str | None:
    """Return the key for the endpoints of the config; it is in no config, so it is in no run directory."""
    return os.environ.get(API_KEY)


def writer_key() -> str | None:
    """Return the key for the endpoint that writes edits; no other gets it."""
    return os.environ.get(WRITER_API_KEY)


async def read_content(response: aiohttp.ClientResponse) -> bytes:
    """Return what a reply holds.

    Raises:
        BadReply: it is larger than any reply; one that never ends must not fill the memory.
    """
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > MAX_REPLY_BYTES:
            raise BadReply(f"{response.url.origin()} gave a reply of more than {MAX_REPLY_BYTES} bytes")
    return bytes(content)


def authorization(key: str | None) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


async def served_name(endpoint: str, key: str | None) -> str:
    """Return the name of the model that an OpenAI-compatible server runs.

    Raises:
        ServerError: it does not answer, or serves nothing.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(CONNECT_SECONDS), headers=authorization(key)) as http,
            http.get(f"{base_url(endpoint)}/v1/models", allow_redirects=False) as response,
        ):
            reply = json.loads(await read_content(response))
            return str(reply["data"][0]["id"])
    except (aiohttp.ClientError, BadReply, TimeoutError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ServerError(
            f"{endpoint} does not answer as an OpenAI-compatible server ({type(error).__name__}); start "
            "it, or name none to have one started"
        ) from error


def _ended(completion: Completion, sampling: Sampling) -> Completion:
    """Return a completion that ends where it should, at texts too of which the server was not told."""
    text = sampling.end(completion.text)
    return completion if text == completion.text else replace(completion, text=text, finish_reason="stop")

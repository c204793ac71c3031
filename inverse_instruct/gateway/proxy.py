"""One route of the OpenAI API, forwarded to an engine: what comes back names the checkpoint that gave it.

Enters: a request for a model. Leaves: the engine's reply, whole or as a stream, with `model` set to the checkpoint's
name and `x-checkpoint: NAME@DIGEST`. A stream whose engine is lost ends with an error event, never in silence; before
its first event the client still gets a plain 503. A client that goes away ends its generation. Not guaranteed: that a
request is understood; the engine judges that, and its refusals are passed on, see `refusals`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from inverse_instruct.gateway.completion_request import parse_completion
from inverse_instruct.gateway.deployment import Deployment
from inverse_instruct.gateway.engines import Engine, EngineLost
from inverse_instruct.gateway.limits import read_body
from inverse_instruct.gateway.refusals import in_our_words
from inverse_instruct.gateway.reply import Reply
from inverse_instruct.gateway.service import Service
from inverse_instruct.inference.client import MAX_REPLY_BYTES
from inverse_instruct.web.api_error import ApiError
from inverse_instruct.web.origin import check_content_type

BUSY_RETRY_SECONDS = 2
HEADERS = {"accept-encoding": "identity", "content-type": "application/json"}
DONE = b"[DONE]"


class BadReply(Exception):
    """The engine gave what is no JSON object."""


class Proxy:
    """ASGI endpoint of one route."""

    def __init__(self, service: Service, route: str) -> None:
        """Take the service and the path, such as `/v1/completions`."""
        self._service = service
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        check_content_type(request, "application/json", "")
        try:
            body = await read_body(request, self._service.section.max_body_bytes)
        except ClientDisconnect:
            return
        work = asyncio.create_task(self._answer(body, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            work.cancel()  # no effect on one that is done
            await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _answer(self, body: bytes, send: Send) -> None:
        async with self._service.admission.slot():
            fields = parse_completion(body, self._route)
            deployment, engine = self._service.pick(fields["model"])
            reply = Reply(send, deployment.label)
            try:
                async with engine.request(lambda: not reply.sending):
                    await self._forward(fields, deployment, engine, reply)
            except BadReply:
                await reply.fail(ApiError(502, "the engine gave a reply that cannot be read"))
            except (httpx.TransportError, EngineLost):
                engine.ready = False  # until its supervisor finds it well
                await reply.fail(self._service.availability.error())

    async def _forward(self, fields: dict[str, Any], deployment: Deployment, engine: Engine, reply: Reply) -> None:
        started = time.monotonic()
        payload, hide_usage = _with_usage(deployment.defaults.applied(fields) | {"model": engine.model})
        async with engine.http.stream(
            "POST", f"{engine.url}{self._route}", content=_encode(payload), headers=HEADERS
        ) as upstream:
            if upstream.status_code >= 400:
                await self._refuse(upstream, engine, reply)
            elif upstream.headers.get("content-type", "").startswith("text/event-stream"):
                async for chunk in self._events(upstream, reply):
                    if not reply.started:
                        self._service.metrics.first_token.labels(self._route).observe(time.monotonic() - started)
                    await self._relay(chunk, deployment, hide_usage, reply)
            else:
                tree = _parse(await _read(upstream))
                self._service.metrics.count_tokens(tree.get("usage"))
                await reply.send_json(upstream.status_code, tree | {"model": deployment.checkpoint.name})

    async def _events(self, upstream: httpx.Response, reply: Reply) -> AsyncIterator[dict[str, Any]]:
        """Yield the chunks of a stream up to its end mark, which is passed on.

        Raises:
            EngineLost: the stream ended without it.
        """
        async for event in _split(upstream.aiter_raw()):
            if event == DONE:
                await reply.send_event(DONE)
                await reply.finish()
                return
            yield _parse(event)
        raise EngineLost("the engine ended a stream before it was complete")

    async def _relay(self, chunk: dict[str, Any], deployment: Deployment, hide_usage: bool, reply: Reply) -> None:
        self._service.metrics.count_tokens(chunk.get("usage"))
        if hide_usage and not chunk.get("choices") and chunk.get("usage"):
            return
        if "model" in chunk:
            chunk["model"] = deployment.checkpoint.name
        await reply.send_event(json.dumps(chunk).encode())

    async def _refuse(self, upstream: httpx.Response, engine: Engine, reply: Reply) -> None:
        content = in_our_words(await _read(upstream))
        if upstream.status_code >= 500 and not await engine.healthy():
            raise EngineLost("the engine is failing")
        retry_after = BUSY_RETRY_SECONDS if upstream.status_code in (429, 503) else None
        await reply.send_body(
            upstream.status_code, upstream.headers.get("content-type", "application/json"), content, retry_after
        )


def _encode(payload: dict[str, Any]) -> bytes:
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body holds what is no JSON or no text ({error})") from error


async def _read(upstream: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in upstream.aiter_raw():
        content += piece
        if len(content) > MAX_REPLY_BYTES:
            raise BadReply
    return bytes(content)


def _with_usage(body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Ask for the usage of a stream; tell whether to hide it from the client, who has not asked."""
    options = body.get("stream_options") or {}
    if body.get("stream") is not True or not isinstance(options, dict) or options.get("include_usage"):
        return body, False
    return body | {"stream_options": options | {"include_usage": True}}, True


async def _split(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the data of server-sent events; only a blank line separates them, whatever their text holds."""
    buffer = b""
    async for piece in pieces:
        *events, buffer = (buffer + piece).split(b"\n\n")
        for event in events:
            if event.startswith(b"data:"):
                yield event.removeprefix(b"data:").strip()


def _parse(content: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(content)
    except ValueError as error:
        raise BadReply from error
    if not isinstance(tree, dict):
        raise BadReply
    return tree


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

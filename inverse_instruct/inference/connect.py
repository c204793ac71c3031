"""A client to what the config names: servers of ours, watched, or endpoints that somebody else runs.

Enters: the `inference` section. Leaves: a client that is ready to ask, for the length of a `with` block. The key of the
environment is for the section's endpoints alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from inverse_instruct.config.editing import WriterSection
from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.client import InferenceClient, endpoint_key, writer_key
from inverse_instruct.inference.endpoint import Backend
from inverse_instruct.inference.given import GivenServers, ReloadedServer, Weights
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import watch


@asynccontextmanager
async def connect(
    section: InferenceSection, servers: Sequence[VllmServer], weights: Weights | None = None
) -> AsyncIterator[InferenceClient]:
    """Yield a client to servers of one model that were started, or (if there are none) to the section's endpoints.

    Args:
        section: names the endpoints.
        servers: of ours.
        weights: given to the endpoints first; None: they are asked as they are.

    Raises:
        ServerError: they do not answer, do not stay up, or do not take the weights.
    """
    if not servers:
        async with _connect_given(section, weights) as client:
            yield client
        return
    await asyncio.gather(*(server.revive() for server in servers))  # they may be killed while they start, as ever
    async with _client(section, {server.url: server for server in servers}, servers[0].name, servers[0].key) as client:
        with _watching(watch(each, partial(client.in_flight, each.url)) for each in servers):
            yield client


@asynccontextmanager
async def _connect_given(section: InferenceSection, weights: Weights | None) -> AsyncIterator[InferenceClient]:
    """Yield a client to the section's endpoints."""
    key, seconds = endpoint_key(), section.start_timeout_seconds
    name = await GivenServers(section.endpoints, seconds, key).common_name()
    if weights is None:
        given = dict.fromkeys(section.endpoints, GivenServers(section.endpoints, seconds, key))
        async with _client(section, given, name, key) as client:
            yield client
        return
    reloaded = {url: ReloadedServer(url, seconds, key, weights) for url in section.endpoints}
    await asyncio.gather(*(server.take() for server in reloaded.values()))
    async with _client(section, reloaded, name, key) as client:
        with _watching(server.watch(client) for server in reloaded.values()):
            yield client


@contextmanager
def _watching(work: Iterable[Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Watch for the length of the block."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def connect_writer(writer: WriterSection, section: InferenceSection) -> AsyncIterator[InferenceClient]:
    """Yield a client to the endpoint that writes edits.

    Args:
        writer: names it.
        section: how long is waited, and how many rows may fail.

    Raises:
        ServerError: it does not answer, or does not stay up.
    """
    assert writer.endpoint is not None
    given = GivenServers([writer.endpoint], section.start_timeout_seconds, writer_key())
    asking = section.model_copy(update={"concurrency": writer.concurrency})
    name = writer.model or await given.common_name()
    async with _client(asking, {writer.endpoint: given}, name, writer_key()) as client:
        yield client


def _client(
    section: InferenceSection, backends: Mapping[str, Backend], name: str, key: str | None = None
) -> InferenceClient:
    return InferenceClient(
        backends,
        name,
        concurrency=section.concurrency,
        max_failed_share=section.max_failed_share,
        timeout_seconds=section.request_timeout_seconds,
        key=key,
    )

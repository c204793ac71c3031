"""A client to what the config names: servers of ours, watched, or endpoints that somebody else runs.

Enters: the `inference` section. Leaves: a client that is ready to ask, for the length of a `with` block. The key of the
environment is for the section's endpoints alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from inverse_instruct.config.editing import WriterSection
from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.client import InferenceClient, endpoint_key, served_name, writer_key
from inverse_instruct.inference.endpoint import Backend
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import watch

ASK_AGAIN_SECONDS = 2.0


class GivenServers:
    """Endpoints that somebody else starts: all we can do is wait for them."""

    starts = 0

    def __init__(self, urls: Sequence[str], timeout_seconds: float, key: str | None) -> None:
        """Take their base URLs, how long to wait, and the key that was given for them."""
        self._urls = urls
        self._key = key
        self._timeout_seconds = timeout_seconds

    async def common_name(self) -> str:
        """Return the name under which all of them know the model.

        Raises:
            ServerError: one does not answer, or has another model.
        """
        names = {url: await served_name(url, self._key) for url in self._urls}
        if len(set(names.values())) > 1:
            told = ", ".join(f"{url}: {name!r}" for url, name in names.items())
            raise ServerError(f"the endpoints do not serve the same model ({told}); start the same one on all of them")
        return names[self._urls[0]]

    async def revive(self, *, counted: bool = True) -> None:
        """Return once one of them answers.

        Raises:
            ServerError: none does within the time.
        """
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            for url in self._urls:
                try:
                    await served_name(url, self._key)
                    return
                except ServerError as error:
                    failed = error
            if time.monotonic() > deadline:
                raise ServerError(f"no endpoint has answered for {self._timeout_seconds:.0f} s; the last: {failed}")
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def uncount_restart(self, start: int) -> None:
        """Nothing is counted."""


@asynccontextmanager
async def connect(section: InferenceSection, servers: Sequence[VllmServer]) -> AsyncIterator[InferenceClient]:
    """Yield a client to servers of one model that were started, or (if there are none) to the section's endpoints.

    Raises:
        ServerError: they do not answer, or do not stay up.
    """
    if not servers:
        given = GivenServers(section.endpoints, section.start_timeout_seconds, endpoint_key())
        backends = dict.fromkeys(section.endpoints, given)
        async with _client(section, backends, await given.common_name(), endpoint_key()) as client:
            yield client
        return
    await asyncio.gather(*(server.revive() for server in servers))  # they may be killed while they start, as ever
    async with _client(section, {server.url: server for server in servers}, servers[0].name, servers[0].key) as client:
        watching = [asyncio.create_task(watch(each, partial(client.in_flight, each.url))) for each in servers]
        try:
            yield client
        finally:
            for task in watching:
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

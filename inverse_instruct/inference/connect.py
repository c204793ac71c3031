"""A client to what the config names: a server of ours, watched, or endpoints that somebody else runs.

Enters: the `inference` section. Leaves: a client that is ready to ask, for the length of a `with` block. The key of the
environment is for the section's endpoints alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.client import Backend, InferenceClient, endpoint_key, served_name
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import watch

ASK_AGAIN_SECONDS = 2.0


class GivenServers:
    """Endpoints that somebody else starts: all we can do is wait for them."""

    starts = 0

    def __init__(self, urls: Sequence[str], timeout_seconds: float) -> None:
        """Take their base URLs and how long to wait."""
        self._urls = urls
        self._timeout_seconds = timeout_seconds

    async def common_name(self) -> str:
        """Return the name under which all of them know the model.

        Raises:
            ServerError: one does not answer, or has another model.
        """
        names = {url: await served_name(url, endpoint_key()) for url in self._urls}
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
                    await served_name(url, endpoint_key())
                    return
                except ServerError as error:
                    failed = error
            if time.monotonic() > deadline:
                raise ServerError(f"no endpoint has answered for {self._timeout_seconds:.0f} s; the last: {failed}")
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def uncount_restart(self, start: int) -> None:
        """Nothing is counted."""


@asynccontextmanager
async def connect(section: InferenceSection, server: VllmServer | None) -> AsyncIterator[InferenceClient]:
    """Yield a client to a server that was started, or (None) to the section's endpoints.

    Raises:
        ServerError: it does not answer, or does not stay up.
    """
    if server is None:
        given = GivenServers(section.endpoints, section.start_timeout_seconds)
        async with _client(section, section.endpoints, await given.common_name(), given, endpoint_key()) as client:
            yield client
        return
    await server.revive()  # it may be killed while it starts, like at any other time
    async with _client(section, [server.url], server.name, server) as client:
        watching = asyncio.create_task(watch(server, lambda: client.in_flight))
        try:
            yield client
        finally:
            watching.cancel()


def _client(
    section: InferenceSection, urls: Sequence[str], name: str, backend: Backend, key: str | None = None
) -> InferenceClient:
    return InferenceClient(
        urls,
        name,
        concurrency=section.concurrency,
        max_failed_share=section.max_failed_share,
        timeout_seconds=section.request_timeout_seconds,
        backend=backend,
        key=key,
    )

"""Processes that ask the questions of a stage ahead of it, where one could not keep all engines busy.

Enters: the rooms of a stage, or of two that work together, and a client. Leaves: journals, one a process and stage,
which the stage follows in the order of its groups: what they hold is not asked again, so rows are the same whatever the
number of processes. Nothing depends on them: a process that meets a server in trouble gives up, is started again some
times, and what is left is asked by the stage itself, which knows how to find a row that kills an engine. Not
guaranteed: that a group which is asked by nobody ahead waits for no other one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.loop.ahead_process import News, Share, ask
from inverse_instruct.stages.play import Ready, at_once
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Groups

ENGINES_EACH = 2
STARTS = 3  # of one process, before its part is left to the stage

logger = logging.getLogger(__name__)


def process_count(section: InferenceSection, engines: int) -> int:
    """Return how many processes ask so many engines."""
    return section.processes or max(1, min(engines // ENGINES_EACH, (os.cpu_count() or 1) // 2))


@asynccontextmanager
async def ask_ahead(rooms: Sequence[Room], model: Path, client: InferenceClient) -> AsyncIterator[Ready]:
    """Have questions asked ahead for the length of the block, and yield what tells when a group is known.

    Args:
        rooms: with a model in each; nothing was read or asked in them yet.
        model: folder of the model.
        client: to its servers.
    """
    config = rooms[0].config
    count = process_count(config.inference, len(client.reach.urls))
    if count == 1 or not isinstance(rooms[0].stage.run, Groups):
        yield at_once
        return
    asked = rooms[0].model
    shares = []
    for room in rooms:
        room.parts = count
    for part in range(1, count + 1):
        stages = {room.stage.name: (room.place, room.inputs) for room in rooms}
        shares.append(Share(config, stages, model, asked.digest, client.reach, part, count))
    logger.info("%d processes ask %d engines", count, len(client.reach.urls))
    ahead = _Ahead(rooms, client, shares)
    try:
        yield ahead.ready
    finally:
        ahead.stop()


class _Ahead:
    """The processes, as the stage sees them."""

    def __init__(self, rooms: Sequence[Room], client: InferenceClient, shares: Sequence[Share]) -> None:
        self._rooms, self._client = rooms, client
        self._parts = [_Part(share) for share in shares]
        self._changed = asyncio.Condition()
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(len(shares))  # each waits for one process
        self._following = [asyncio.create_task(self._follow(part)) for part in self._parts]

    async def ready(self, number: int) -> None:
        """Return once all that a group needs is known, or nobody asks it ahead any more."""
        part = self._parts[number % len(self._parts)]
        async with self._changed:
            await self._changed.wait_for(lambda: part.groups > number // len(self._parts))

    async def _follow(self, part: _Part) -> None:
        """Start a process, and again where it gives up; the stage goes on by itself behind the last one."""
        try:
            while not part.is_done and part.starts < STARTS:
                if part.starts:
                    await asyncio.gather(*map(self._client.revive, self._client.reach.urls), return_exceptions=True)
                part.start()
                while (news := await self._loop.run_in_executor(self._threads, part.news)) is not None:
                    await self._take(part, news)
            if not part.is_done:
                logger.warning("a process that asks ahead has given up %d times; its part is asked behind it", STARTS)
        finally:
            await self._take(part, replace(part.last, groups=math.inf))

    async def _take(self, part: _Part, news: News) -> None:
        for room, now, before in zip(self._rooms, news.tokens, part.last.tokens, strict=True):
            room.refresh()
            room.tokens.update(Counter(now) - Counter(before))
        part.take(news)
        async with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End all processes."""
        for task in self._following:
            task.cancel()
        for part in self._parts:
            part.stop()
        self._threads.shutdown()


class _Part:
    """One process."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self.starts = 0
        self.groups: float = 0  # of its own, that are known
        self.last = self._nothing
        self.is_done = False

    @property
    def _nothing(self) -> News:
        return News(0, tuple({} for _ in self._share.stages))

    def start(self) -> None:
        """Start it; it goes through its groups from the first, and asks what is not known."""
        context = get_context("spawn")
        self._pipe, other = context.Pipe(duplex=False)
        self._process = context.Process(target=ask, args=(self._share, other), daemon=True)
        self._process.start()
        other.close()
        self.starts += 1
        self.last = self._nothing

    def news(self) -> News | None:
        """Wait for what it tells next; None: it has ended."""
        assert self._pipe is not None
        try:
            news: News = self._pipe.recv()
        except (EOFError, OSError):
            return None
        return news

    def take(self, news: News) -> None:
        """Note what it has told; started again, it passes what is known already."""
        self.groups, self.last, self.is_done = max(self.groups, news.groups), news, news.is_done

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

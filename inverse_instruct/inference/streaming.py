"""Work on many items at once without a barrier: a new one starts the moment a place is free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def stream(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], at_once: int
) -> AsyncIterator[Result]:
    """Yield results as they come, in the order of completion.

    Args:
        items: what to work on; taken one by one, so an endless or large source is fine.
        work: what to do with an item. An exception of it ends the stream and cancels what is under way.
        at_once: items under way at the same time.
    """
    source = iter(items)
    running: set[asyncio.Task[Result]] = set()
    try:
        while True:
            for item in source:
                running.add(asyncio.ensure_future(work(item)))
                if len(running) >= at_once:
                    break
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def stream_in_order(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], at_once: int
) -> AsyncIterator[Result]:
    """Yield results in the order of the items; arguments as of `stream`. A slow item holds back the later results."""

    async def numbered(pair: tuple[int, Item]) -> tuple[int, Result]:
        return pair[0], await work(pair[1])

    waiting: dict[int, Result] = {}
    turn = 0
    async for number, result in stream(enumerate(items), numbered, at_once):
        waiting[number] = result
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1

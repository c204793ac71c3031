"""Work in a thread can be waited for, fails where it is waited for, and ends when the waiting is cancelled."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inverse_instruct.system.stoppable import Stoppable


class Place:
    """A context that ends the waiting in it when it is left."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.left = threading.Event()
        self.times_left = 0

    @contextmanager
    def entered(self) -> Iterator[Place]:
        if self.error:
            raise self.error
        try:
            yield self
        finally:
            self.times_left += 1
            self.left.set()


def test_the_end_is_waited_for() -> None:
    place, done = Place(), []

    async def main() -> None:
        async with Stoppable("work", place.entered(), lambda here: done.append(here)) as work:
            await work.finish()

    asyncio.run(main())
    assert done == [place] and place.times_left == 1


@pytest.mark.parametrize("where", ["entering", "working"])
def test_an_error_is_raised_where_the_end_is_waited_for(where: str) -> None:
    place = Place(ValueError("no") if where == "entering" else None)

    def fail(here: Place) -> None:
        raise ValueError("no")

    async def main() -> None:
        async with Stoppable("work", place.entered(), fail) as work:
            await work.finish()

    with pytest.raises(ValueError, match="no"):
        asyncio.run(main())
    assert place.times_left == (where == "working")


def test_what_is_started_to_enter_is_ended_where_nobody_waits_for_it_any_more() -> None:
    others = subprocess.Popen(["sleep", "60"])
    started: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def entered() -> Iterator[None]:
        started.append(subprocess.Popen(["sh", "-c", "sleep 60; true"]))
        started[0].wait()
        yield

    async def main() -> None:
        async with Stoppable("work", entered(), lambda here: None):
            pass

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(main(), 0.3))
    assert started[0].poll() is not None and others.poll() is None  # 0 where its sleep was ended first
    others.kill()
    others.wait()


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_work_that_nobody_waits_for_any_more_is_ended(how: str) -> None:
    place, seen = Place(), []

    def wait(here: Place) -> None:
        here.left.wait(60)
        seen.append(work.stopped)

    work = Stoppable("work", place.entered(), wait)

    async def main() -> None:
        async with work:
            if how == "failed":
                raise KeyError
            await work.finish()

    started = time.monotonic()
    with pytest.raises(KeyError if how == "failed" else TimeoutError):
        asyncio.run(asyncio.wait_for(main(), 0.3))
    assert seen == [True] and place.times_left == 1 and time.monotonic() - started < 5

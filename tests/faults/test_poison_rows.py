"""A row that kills the engine is found among the others and set aside; the others lose nothing.

The engine is made up: a server that dies in front of one prompt, and a backend that starts it again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from tests.faults.bad_server import BadServer, Body, good, reset, status

pytestmark = pytest.mark.usefixtures("quick")
ROWS = 24


class Engine:
    """Dies in front of poison: what is in flight is cut off, and so is all that comes until it is started again."""

    def __init__(
        self,
        make: Callable[..., BadServer],
        poison: set[int],
        *,
        max_restarts: int,
        errors_first: bool = False,
        kills_at: tuple[int, ...] = (),
    ) -> None:
        self.server = make(choose=lambda body: self._serve)
        self.starts = 1
        self.counted: set[int] = set()
        self.requests = self.most_at_once = self._at_once = 0
        self._poison, self._errors_first, self._kills_at = poison, errors_first, kills_at
        self._max_restarts = max_restarts
        self._dead = threading.Event()
        self._lock = threading.Lock()

    def _serve(self, connection: Any, body: Body) -> None:
        dead = self._dead
        with self._lock:
            self.requests += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if self.requests in self._kills_at:
                dead.set()
        reply: Callable[[Any, Body], None] = good
        if body["prompt"][0] in self._poison:
            dead.wait(0.02)
            if self._errors_first:
                threading.Timer(0.1, dead.set).start()
                reply = status(500)
            else:
                dead.set()
                reply = reset
        elif dead.wait(0.05):
            reply = reset
        with self._lock:
            self._at_once -= 1  # before it is answered: after that the client may send the next one
        reply(connection, body)

    async def revive(self, *, counted: bool = True) -> None:
        if not self._dead.is_set():
            return
        if counted:
            if len(self.counted) >= self._max_restarts:
                raise ServerError("died too often")
            self.counted.add(self.starts)
        await asyncio.sleep(
            0.1
        )  # what was sent to the old engine must not reach the new one; a real start takes longer
        self.starts += 1
        self._dead = threading.Event()

    def uncount_restart(self, start: int) -> None:
        self.counted.discard(start)


def ask_all(engine: Engine) -> list[Any]:
    async def main() -> list[Any]:
        url = engine.server.url
        async with InferenceClient({url: engine}, "m", concurrency=8, timeout_seconds=5) as client:
            return await asyncio.gather(
                *(client.complete([number], Sampling(5)) for number in range(ROWS)), return_exceptions=True
            )

    return asyncio.run(main())


@pytest.mark.parametrize("errors_first", [False, True], ids=["it resets", "it answers 500 and then dies"])
@pytest.mark.parametrize("poison", [{5}, {0, 1, 20}], ids=str)
def test_only_the_poison_is_set_aside(
    bad_server: Callable[..., BadServer], poison: set[int], errors_first: bool
) -> None:
    engine = Engine(bad_server, poison, max_restarts=2, errors_first=errors_first)
    replies = ask_all(engine)
    for number, reply in enumerate(replies):
        if number in poison:
            assert isinstance(reply, RequestError) and reply.reason == Reason.KILLS_ENGINE, number
            assert "2 times with nothing but this row in flight" in str(reply)
        else:
            assert reply.text == f" of {number}"
    assert engine.counted == set(), "the restarts of an identified row do not count"
    assert engine.starts - 1 <= 3 * len(poison) and engine.most_at_once == 8


def test_a_killed_engine_costs_no_row(bad_server: Callable[..., BadServer]) -> None:
    engine = Engine(bad_server, set(), max_restarts=3, kills_at=(4, 14))
    assert [reply.text for reply in ask_all(engine)] == [f" of {number}" for number in range(ROWS)]
    assert engine.starts == 3 and 1 <= len(engine.counted) <= 2


def test_an_engine_that_dies_too_often_ends_the_run(bad_server: Callable[..., BadServer]) -> None:
    engine = Engine(bad_server, {3}, max_restarts=0)
    assert any(isinstance(reply, ServerError) for reply in ask_all(engine))


@pytest.mark.slow  # it waits for real seconds
def test_an_engine_that_dies_on_every_row_ends_the_run(bad_server: Callable[..., BadServer]) -> None:
    engine = Engine(bad_server, set(range(ROWS)), max_restarts=3)
    replies = ask_all(engine)
    stops = [str(reply) for reply in replies if isinstance(reply, ServerError)]
    assert any("11 of the last 11 rows failed" in stop and "kills_engine (11 times)" in stop for stop in stops)

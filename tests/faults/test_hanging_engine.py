"""The heartbeat: an engine that hangs is killed within the stated time, and no other one is."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference import given as given_module
from inverse_instruct.inference import watch as watch_module
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.quarantine import QuarantineGate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import watch
from tests.faults.bad_server import BadServer, good, send

LIMIT = 0.6  # seconds, of the tests


class Engine:
    """A port that answers /health and /metrics as it is told to."""

    def __init__(self) -> None:
        self.ready = self.alive = self.answers = self.counts = self.works = True
        self.tokens = 0
        self.delay_seconds = 0.0
        self.killed: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        asked = connection.recv(4096)
        time.sleep(self.delay_seconds)
        while not self.answers:
            time.sleep(0.01)
        self.tokens += self.works
        counters = f'vllm:generation_tokens_total{{engine="0"}} {self.tokens}.0\n' if self.counts else "other 1\n"
        try:
            send(connection, 200, counters.encode() if b"/metrics" in asked else b"")
        except OSError:
            pass

    def kill(self, why: str) -> None:
        self.killed.append(why)
        self.alive = False

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, seconds in {"BEAT": 0.05, "ANSWER": 0.15, "HANG": LIMIT, "STALL": LIMIT}.items():
        monkeypatch.setattr(watch_module, f"{name}_SECONDS", seconds)
    made = Engine()
    yield made
    made.answers = True
    made.close()


def watched(engine: Engine, waiting: int, seconds: float) -> float:
    """Watch for some time, or until it is killed; return how long that took."""

    async def main() -> float:
        began = time.monotonic()
        task = asyncio.create_task(watch(cast(VllmServer, engine), lambda: waiting))
        while not engine.killed and time.monotonic() - began < seconds:
            await asyncio.sleep(0.01)
        task.cancel()
        return time.monotonic() - began

    return asyncio.run(main())


def test_no_answer_is_a_hang(engine: Engine) -> None:
    engine.answers = False
    assert LIMIT < watched(engine, 0, 5) < 3 * LIMIT
    assert "gave no sign of life for" in engine.killed[0]


def test_no_token_is_a_hang_while_somebody_waits(engine: Engine) -> None:
    engine.works = False
    watched(engine, 0, 3 * LIMIT)
    assert not engine.killed, "nobody waits"
    assert LIMIT < watched(engine, 1, 5) < 3 * LIMIT
    assert "gave no token for" in engine.killed[0]


@pytest.mark.parametrize(
    "change",
    [{}, {"works": False, "counts": False}, {"answers": False, "ready": False}, {"answers": False, "alive": False}],
    ids=str,
)
def test_who_works_starts_or_has_ended_is_left_alone(engine: Engine, change: dict[str, bool]) -> None:
    for name, value in change.items():
        setattr(engine, name, value)
    watched(engine, 1, 4 * LIMIT)
    assert not engine.killed


def test_a_pause_of_this_process_is_not_held_against_it(engine: Engine) -> None:
    engine.delay_seconds = 0.12  # so that a pause falls into a question

    async def main() -> None:
        task = asyncio.create_task(watch(cast(VllmServer, engine), lambda: 1))
        await asyncio.sleep(0.2)
        for _ in range(3):
            engine.answers = False
            time.sleep(2 * LIMIT)  # the whole machine was suspended: nothing runs, and what was asked is lost
            await asyncio.sleep(0.05)
            engine.answers = True
            await asyncio.sleep(0.4)
        task.cancel()

    asyncio.run(main())
    assert not engine.killed


def test_a_suspect_is_alone_and_nobody_waits_for_ever() -> None:
    async def main() -> list[tuple[str, int]]:
        gate, seen, at_once = QuarantineGate(), [], 0

        async def work(name: str, alone: bool) -> None:
            nonlocal at_once
            async with gate.place(alone=alone):
                at_once += 1
                await asyncio.sleep(0.02)
                seen.append((name, at_once))
                at_once -= 1

        first = [asyncio.create_task(work("a", False)) for _ in range(4)]
        await asyncio.sleep(0.01)
        suspects = [asyncio.create_task(work("s", True)) for _ in range(3)]
        await asyncio.sleep(0)
        later = [asyncio.create_task(work("b", False)) for _ in range(4)]
        suspects[2].cancel()  # also one that gives up while it waits
        await asyncio.wait_for(asyncio.gather(*first, *suspects, *later, return_exceptions=True), 2)
        return seen

    seen = asyncio.run(main())
    assert [name for name, _ in seen] == ["a"] * 4 + ["s"] * 2 + ["b"] * 4
    assert all(count == 1 for name, count in seen if name == "s") and seen[0] == ("a", 4) and seen[6] == ("b", 4)


def test_endpoints_must_serve_the_same_model(bad_server: Callable[..., BadServer]) -> None:
    other = json.dumps({"data": [{"id": "other"}]}).encode()
    servers = [bad_server(good), bad_server(good, models=other)]

    async def main(*urls: str) -> None:
        async with connect(InferenceSection(endpoints=list(urls)), []):
            raise AssertionError("never here")

    with pytest.raises(ServerError, match="do not serve the same model.*'m'.*'other'"):
        asyncio.run(main(*(server.url for server in servers)))
    with pytest.raises(ServerError, match="does not answer as an OpenAI-compatible server"):
        asyncio.run(main("http://127.0.0.1:1"))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("comes_back", [True, False])
def test_an_endpoint_that_is_away_is_waited_for(
    bad_server: Callable[..., BadServer], comes_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_module, "ASK_AGAIN_SECONDS", 0.05)
    server = bad_server(good)
    section = InferenceSection(endpoints=[server.url], start_timeout_seconds=1.0)

    async def main() -> str:
        async with connect(section, []) as client:
            server.away = True
            if comes_back:
                asyncio.get_running_loop().call_later(0.5, setattr, server, "away", False)
            return (await client.complete([7], Sampling(5))).text

    if comes_back:
        assert asyncio.run(main()) == " of 7"
    else:
        with pytest.raises(ServerError, match="no endpoint has answered for 1 s"):
            asyncio.run(main())


def test_one_of_two_endpoints_is_enough(bad_server: Callable[..., BadServer]) -> None:
    servers = [bad_server(good), bad_server(good)]

    async def main() -> list[str]:
        async with connect(InferenceSection(endpoints=[server.url for server in servers]), []) as client:
            servers[0].away = True
            return [
                reply.text
                for reply in await asyncio.gather(*(client.complete([number], Sampling(5)) for number in range(20)))
            ]

    assert asyncio.run(main()) == [f" of {number}" for number in range(20)]
    assert len(servers[1].bodies) == 20

"""A real engine that is killed or stopped under load: found, started again, and every row is answered.

With `-s` it prints how long finding and recovering took.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import RequestError
from inverse_instruct.inference import watch as watch_module
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.inference.watch import HANG_SECONDS
from inverse_instruct.records import Reason
from inverse_instruct.system.supervisor import descendants

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ROWS = 40


def send_signal(number: signal.Signals, name: bytes) -> Callable[[], None]:
    def send() -> None:
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(os.getpid())}
        pids = [pid for pid, command in commands.items() if name in command and b"supervisor" not in command]
        assert pids, f"no process is called {name!r}"
        for pid in pids:
            os.kill(pid, number)

    return send


def load(
    server: VllmServer, section: InferenceSection, fault: Callable[[], None]
) -> tuple[list[str], dict[str, float]]:
    """Ask for all rows, inject the fault in their middle; return the texts and when things happened."""
    times: dict[str, float] = {}

    def note(event: str) -> None:
        if "started again" in event:
            times["restarted"] = time.monotonic()

    async def one(client: InferenceClient, number: int) -> str:
        reply = await client.complete([number + 10] * 8, Sampling(120, temperature=1.0), seed=number)
        if number == 5:
            times["fault"] = time.monotonic()
            fault()
        elif "restarted" in times:
            times.setdefault("answered", time.monotonic())
        return reply.text

    async def main() -> list[str]:
        async with connect(section, [server]) as client:
            texts = await asyncio.gather(*(one(client, number) for number in range(ROWS)))
            times["done"] = time.monotonic()
            return texts

    server.on_event = note
    return asyncio.run(main()), times


@pytest.mark.timeout(900)
def test_killed_and_stopped_the_rows_are_those_of_a_whole_run(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "STALL_SECONDS", 10.0)
    section = InferenceSection(dtype="float32", max_restarts=4, concurrency=16)
    server = VllmServer(tiny_model, section, max_model_len=512, log=tmp_path / "vllm.log")
    server.start()
    faults = {  # name -> what happens, and within how many seconds it must be found
        "kill -9 of the server": (send_signal(signal.SIGKILL, b"api_server"), 5),
        "kill -9 of its core": (send_signal(signal.SIGKILL, b"EngineCore"), 5),
        "SIGSTOP of the server": (send_signal(signal.SIGSTOP, b"api_server"), HANG_SECONDS + 15),
        "SIGSTOP of its core, with a limit of 10 s": (send_signal(signal.SIGSTOP, b"EngineCore"), 25),
    }
    try:
        whole, times = load(server, section, lambda: None)
        assert "restarted" not in times
        for name, (fault, limit_seconds) in faults.items():
            texts, times = load(server, section, fault)
            found = times["restarted"] - times["fault"]
            print(
                f"\n{name}: found after {found:.1f} s, first row answered {times['answered'] - times['fault']:.1f} s "
                f"after the fault, all rows {times['done'] - times['fault']:.1f} s after it"
            )
            assert found < limit_seconds
            assert texts == whole
    finally:
        server.stop()


@pytest.mark.timeout(900)
def test_a_row_that_kills_a_real_engine_is_set_aside(tiny_model: Path, tmp_path: Path) -> None:
    # with chunks allowed, a seeded request whose prefill is split kills this engine on CPUs
    section = InferenceSection(
        dtype="float32",
        max_restarts=1,
        concurrency=8,
        extra_arguments=["--enable-chunked-prefill", "--max-num-batched-tokens", "128"],
    )
    server = VllmServer(tiny_model, section, max_model_len=512, log=tmp_path / "vllm.log")
    events: list[str] = []
    server.on_event = events.append
    server.start()
    poison = [random.Random(0).randrange(100, 40_000) for _ in range(400)]

    async def main() -> list[str | BaseException]:
        async with connect(section, [server]) as client:
            rows = [[number + 10] * 8 for number in range(15)]
            rows.insert(5, poison)
            began = time.monotonic()
            asked = (client.complete(row, Sampling(40, temperature=1.0), seed=1) for row in rows)
            replies = await asyncio.gather(*((reply_of(ask)) for ask in asked))
            print(f"\nset aside after {time.monotonic() - began:.0f} s and {len(events)} restarts")
            return replies

    try:
        replies = asyncio.run(main())
    finally:
        server.stop()
    killer = replies.pop(5)
    assert isinstance(killer, RequestError) and killer.reason == Reason.KILLS_ENGINE
    assert len(replies) == 15 and all(isinstance(reply, str) and reply for reply in replies)
    assert len(events) == 3, "in company, and twice alone"


async def reply_of(ask: object) -> str | BaseException:
    try:
        return (await ask).text  # type: ignore[misc, no-any-return]
    except RequestError as error:
        return error

"""A server that dies is started again and its requests are sent again; one that cannot start says why."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.system.supervisor import descendants

pytestmark = pytest.mark.integration


@pytest.mark.timeout(600)
def test_killed_under_load_every_request_is_answered(tiny_model: Path, tmp_path: Path) -> None:
    server = VllmServer(
        tiny_model, InferenceSection(dtype="float32", max_restarts=1), max_model_len=512, log=tmp_path / "vllm.log"
    )
    events: list[str] = []
    server.on_event = events.append
    server.start()

    async def main() -> list[str]:
        await server.wait_ready()
        async with InferenceClient(
            [server.url], server.name, concurrency=16, timeout_seconds=120, backend=server
        ) as client:

            async def ask(number: int) -> str:
                reply = await client.complete([number + 10] * 8, Sampling(200, temperature=1.0), seed=number)
                if number == 10:
                    for pid in descendants(os.getpid()):
                        if b"vllm" in Path(f"/proc/{pid}/cmdline").read_bytes().lower():
                            os.kill(pid, signal.SIGKILL)
                return reply.text

            first = await asyncio.gather(*(ask(number) for number in range(40)))
            again = await asyncio.gather(*(ask(number) for number in range(5)))
            assert first[:5] == again, "the same seeds must give the same text after the restart"
            return first

    try:
        assert all(asyncio.run(main()))
        assert events == ["the server died and is started again (1)"]
        server.stop()
        with pytest.raises(ServerError, match="died 2 times"):
            asyncio.run(server.revive())
    finally:
        server.stop()


@pytest.mark.timeout(300)
def test_a_server_that_cannot_start_shows_its_log(tiny_model: Path, tmp_path: Path) -> None:
    section = InferenceSection(extra_arguments=["--no-such-argument"])
    server = VllmServer(tiny_model, section, max_model_len=512, log=tmp_path / "vllm.log")
    server.start()
    with pytest.raises(ServerError, match="(?s)ended while starting.*no-such-argument"):
        asyncio.run(server.wait_ready())

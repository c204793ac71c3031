"""How often a server of ours is started again, with a program in vLLM's place that is up in no time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.system.supervisor import descendants

PROGRAM = """
import sys, http.server
lives = open(sys.argv[2], "a+")
lives.seek(0)
if lives.read(1) == "x":  # the next starts fail
    lives.seek(0); left = lives.read()[1:]; lives.truncate(0); lives.write(left); sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class QuickServer(VllmServer):
    failing_starts: Path

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-c", PROGRAM, str(port), str(self.failing_starts)]

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self._process
        for pid in descendants(self._process.pid):
            os.kill(pid, number)


@pytest.fixture
def server(smollm: Path, tmp_path: Path) -> Iterator[QuickServer]:
    made = QuickServer(
        smollm, InferenceSection(max_restarts=2, start_timeout_seconds=20), max_model_len=64, log=tmp_path / "log"
    )
    made.failing_starts = tmp_path / "failing"
    made.start()
    asyncio.run(made.wait_ready())
    yield made
    made.stop()


def test_a_server_that_lives_is_left_alone(server: QuickServer) -> None:
    asyncio.run(server.revive())
    assert server.starts == 1


def test_restarts_are_bounded_but_for_those_of_a_row(server: QuickServer) -> None:
    for _ in range(2):
        server.end()
        asyncio.run(server.revive())
    for _ in range(3):
        server.end()
        asyncio.run(server.revive(counted=False))
    server.uncount_restart(1)
    server.end()
    asyncio.run(server.revive())
    server.end()
    with pytest.raises(ServerError, match="died 3 times; its log is .*log and ends with"):
        asyncio.run(server.revive())
    assert server.starts == 7


def test_a_server_that_dies_while_it_starts_again(server: QuickServer) -> None:
    server.failing_starts.write_text("x")
    server.end()
    asyncio.run(server.revive())
    assert server.starts == 3 and server.ready, "the second restart came up"
    server.failing_starts.write_text("xxx")
    server.end()
    with pytest.raises(ServerError, match="died 3 times"):
        asyncio.run(server.revive(counted=False))


def test_a_stopped_server_is_killed_at_once_and_started_again(server: QuickServer) -> None:
    events: list[str] = []
    server.on_event = events.append
    server.end(signal.SIGSTOP)
    began = time.monotonic()
    server.kill("hangs")
    assert time.monotonic() - began < 2 and not server.alive
    asyncio.run(server.revive())
    assert events == ["the server hangs and is killed", "the server died and is started again (1)"]

"""A real service in a process of its own, and configs whose runs are real processes that end or hang as wanted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from inverse_instruct.system.machine import free_port
from inverse_instruct.system.root import ROOT

JSON = {"content-type": "application/json"}


class LiveService:
    """The service as a person has it: a process to start, kill and ask."""

    def __init__(self, folder: Path, *allowed: object) -> None:
        self.allowed = allowed
        self.runs = folder / "runs"
        self.log = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(timeout=60, trust_env=False)

    def start(self) -> None:
        port = free_port()
        command = [
            sys.executable,
            str(Path(__file__).parent / "bare_service.py"),
            str(self.runs),
            str(port),
            *map(str, self.allowed),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
            )
        self.http.base_url = httpx.URL(f"http://127.0.0.1:{port}/api")
        self.wait(lambda: self._answers(), 60)

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/runs").status_code == 200
        except httpx.TransportError:
            return False

    def end(self, number: int) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(60)

    def submit(self, config: dict[str, Any]) -> httpx.Response:
        return self.http.post("/runs", json=config)

    def act(self, name: str, verb: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/runs/{name}/{verb}", json=body)

    def show(self, name: str) -> dict[str, Any]:
        return dict(self.http.get(f"/runs/{name}").raise_for_status().json())

    def wait_for_state(self, name: str, state: str, seconds: float = 90) -> dict[str, Any]:
        self.wait(lambda: self.show(name)["state"] == state, seconds)
        return self.show(name)

    def wait(self, reached: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, self.log.read_text() + str(self.http.get("/runs").text)
            time.sleep(0.1)

    def players(self, name: str) -> list[int]:
        """The processes that play a run right now."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if b"inverse_instruct.cli" in words and str(self.runs / name).encode() in words and b"-S" not in words:
                found.append(int(entry.name))
        return found


@pytest.fixture
def service(tmp_path: Path, toy_model: Path, silent_endpoint: str, refusing_endpoint: str) -> Iterator[LiveService]:
    """A service whose configs may name what the tests name."""
    live = LiveService(tmp_path, tmp_path, toy_model, silent_endpoint, refusing_endpoint)
    live.start()
    yield live
    if live.process and live.process.poll() is None:
        live.end(signal.SIGTERM)
    live.http.close()


class SilentEndpoint(BaseHTTPRequestHandler):
    """Says which model it has, and never answers anything else."""

    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "silent"}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        time.sleep(3600)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def silent_endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SilentEndpoint)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def refusing_endpoint() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # never listens
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def config(name: str, model: Path, endpoint: str, folder: Path, **sections: Any) -> dict[str, Any]:
    """A run that reads its corpus and then asks an endpoint: the silent one hangs it, the refusing one fails it."""
    corpus = folder / "corpus.jsonl"
    corpus.write_text(
        json.dumps(
            {
                "instruction": "Join words.",
                "output": "```python\ndef join_words(words):\n    return '-'.join(words)\n```",
            }
        )
    )
    return {
        "name": name,
        "rounds": 0,
        "corpus": [{"path": str(corpus)}],
        "model": {"base": str(model), "start": str(model), "max_model_len": 1024},
        "summarize": {"max_new_tokens": 100},
        "inference": {"endpoints": [endpoint]},
    } | sections

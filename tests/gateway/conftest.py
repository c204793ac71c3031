"""A gateway on a real port whose engines are stand-ins, so that a test with deaths and swaps takes seconds."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from inverse_instruct.commands.serve import Server, listen
from inverse_instruct.config.config_file import load_config
from inverse_instruct.gateway.app import create_app
from inverse_instruct.gateway.keys import read_keys
from inverse_instruct.gateway.service import Service
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.shared_devices import SharedDevices
from tests.gateway.runs import make_run


class Gateway:
    """A running gateway."""

    def __init__(self, run_dir: RunDir, shared: Path | None = None) -> None:
        self.run_dir = run_dir
        config = load_config(run_dir.config)
        self.service = Service(config, run_dir, SharedDevices.open(shared) if shared else None)
        keys = read_keys(Path(config.serve.api_keys)) if config.serve.api_keys else None
        listener = listen(config)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.server = Server(self.service, create_app(self.service, keys))
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self.server.serve([listener]),))
        self._thread.start()
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def close(self) -> None:
        self.http.close()
        self.server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.loop.close()

    def wait(self, what: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """Wait until `/ready` says something; return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status: dict[str, Any] = self.http.get("/ready").json()
            if what(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {status}")

    def wait_for(self, name: str) -> dict[str, Any]:
        return self.wait(
            lambda status: status["ready"] and status["state"] == "serving" and status["checkpoint"] == name
        )

    def ask(self, prompt: str = "tokens=3", **more: Any) -> httpx.Response:
        return self.http.post("/v1/completions", json={"model": "current", "prompt": prompt} | more)

    def stream(self, prompt: str = "tokens=3", **more: Any) -> list[Any]:
        """Return the data of all events, `[DONE]` as it is."""
        with self.http.stream(
            "POST", "/v1/completions", json={"model": "current", "prompt": prompt, "stream": True} | more
        ) as reply:
            assert reply.status_code == 200, reply.read()
            return read_events(b"".join(reply.iter_raw()))


def read_events(content: bytes) -> list[Any]:
    data = [event.removeprefix(b"data: ") for event in content.split(b"\n\n") if event]
    return [event.decode() if event == b"[DONE]" else json.loads(event) for event in data]


@contextmanager
def gateways(model: Path, folder: Path) -> Iterator[Callable[..., Gateway]]:
    """Start gateways over runs of three checkpoints, the first promoted; keywords are settings of `serve`."""
    fake = Path(__file__).with_name("fake_engine.py")
    started: list[Gateway] = []

    def start(run_dir: RunDir | None = None, shared: Path | None = None, **serve: Any) -> Gateway:
        gateway = Gateway(run_dir or make_run(folder / "run", model, 3, **serve), shared)
        started.append(gateway)
        return gateway

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            VllmServer,
            "_command",
            lambda server, port: [
                *(sys.executable, str(fake), "--model", str(server.model), "--port", str(port)),
                *server._arguments,
            ],
        )
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield start
        for gateway in started:
            gateway.close()


@pytest.fixture
def start_gateway(toy_model: Path, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway with settings of its own."""
    with gateways(toy_model, tmp_path) as start:
        yield start


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway that serves round-00."""
    gateway = start_gateway()
    gateway.wait_for("round-00")
    return gateway


@pytest.fixture(scope="module")
def shared_gateway(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The same for all tests of a module that leave it as it was."""
    with gateways(toy_model, tmp_path_factory.mktemp("shared")) as start:
        gateway = start()
        gateway.wait_for("round-00")
        yield gateway

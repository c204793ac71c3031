"""Endpoints of somebody else's that take the weights of whatever is asked; replies of the stand-in tell theirs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from inverse_instruct.config.sections import InferenceSection, RunConfig
from inverse_instruct.errors import ServerError
from inverse_instruct.inference import given as given_module
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.given import reload_problems
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.loop.engines import Engines
from inverse_instruct.system.machine import free_port
from tests.gateway import fake_engine
from tests.gateway.runs import perturb


class Given:
    """A server that somebody else runs, and starts again with the weights that it began with."""

    def __init__(self, model: Path, port: int, development: str) -> None:
        self._command = [sys.executable, fake_engine.__file__, "--model", str(model), "--port", str(port)]
        self._development = development
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env={"VLLM_SERVER_DEV_MODE": self._development}, stderr=subprocess.DEVNULL
        )

    def await_ready(self) -> None:
        for _ in range(300):
            with suppress(httpx.TransportError):
                httpx.get(f"{self.url}/health", trust_env=False)
                return
            time.sleep(0.1)
        raise AssertionError("the stand-in does not start")

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def given(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Given]]]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    servers: list[Given] = []

    def start(count: int = 2, development: str = "1") -> list[Given]:
        servers.extend(Given(toy_model, port, development) for port in [free_port() for _ in range(count)])
        for server in servers:
            server.await_ready()
        return servers

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def trained(toy_model: Path, tmp_path: Path) -> Path:
    """Another checkpoint than the endpoints start with."""
    perturb(toy_model, tmp_path / "trained", 1)
    return tmp_path / "trained"


def engines_of(servers: list[Given], folder: Path, **inference: object) -> Engines:
    section = InferenceSection(
        endpoints=[server.url for server in servers], reload_endpoints=True, start_timeout_seconds=20, **inference
    )
    config = RunConfig(name="x", model={"base": "b"}, corpus=[{"path": "c"}], inference=section)
    return Engines(config, folder, None, lambda event: None)


async def ask(client: InferenceClient, requests: int) -> set[str]:
    replies = [client.complete([number], Sampling(3), number) for number in range(requests)]
    return {completion.text for completion in await asyncio.gather(*replies)}


def test_every_model_is_served_by_every_endpoint(
    given: Callable[..., list[Given]], toy_model: Path, trained: Path, tmp_path: Path
) -> None:
    engines = engines_of(given(), tmp_path)

    async def work(client: InferenceClient) -> set[str]:
        return await ask(client, 20)

    answered = [engines.ask(model, work) for model in (trained, toy_model, trained)]

    assert [len(texts) for texts in answered] == [1, 1, 1]  # one text for each endpoint's weights
    assert answered[0] == answered[2] != answered[1]


@pytest.mark.parametrize("count", [1, 2])
def test_one_that_is_started_again_answers_with_the_wanted_weights_alone(
    given: Callable[..., list[Given]], trained: Path, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_module, "BEAT_SECONDS", 0.1)  # a real engine takes seconds to start, this one half of one
    servers = given(count)
    engines = engines_of(servers, tmp_path, concurrency=8)

    async def work(client: InferenceClient) -> set[str]:
        before = await ask(client, 20)
        asking = asyncio.create_task(ask(client, 400))
        await asyncio.sleep(0.1)
        servers[0].kill()
        servers[0].start()
        under_way = await asking
        servers[0].kill()  # while nothing is asked of it
        servers[0].start()
        await asyncio.to_thread(servers[0].await_ready)
        await asyncio.sleep(1)  # several beats
        return before | under_way | await ask(client, 20)

    assert len(engines.ask(trained, work)) == 1


@pytest.mark.parametrize(
    ("fault", "words"), [("reload", "answered 500 to /collective_rpc"), ("stale", "has not taken the new ones")]
)
def test_an_endpoint_that_does_not_take_the_weights_ends_the_stage(
    given: Callable[..., list[Given]], toy_model: Path, trained: Path, tmp_path: Path, fault: str, words: str
) -> None:
    (trained / "fault").write_text(fault)
    engines = engines_of(given(), tmp_path)

    async def work(client: InferenceClient) -> set[str]:
        return await ask(client, 1)

    engines.ask(toy_model, work)
    with pytest.raises(ServerError, match=words):
        engines.ask(trained, work)


def test_a_server_that_takes_no_commands_is_found_by_check_and_told_of(
    given: Callable[..., list[Given]], trained: Path, tmp_path: Path
) -> None:
    [server] = given(1, development="0")
    section = InferenceSection(endpoints=[server.url, "http://127.0.0.1:9"], reload_endpoints=True)

    told, away = asyncio.run(reload_problems(section))

    assert told.startswith(f"inference.endpoints.0: {server.url} takes no weights; start that server with VLLM_SERVER")
    assert away.startswith("inference.endpoints.1: the engine at http://127.0.0.1:9 was lost")
    with pytest.raises(ServerError, match="start that server with VLLM_SERVER_DEV_MODE=1"):
        engines_of([server], tmp_path).ask(trained, lambda client: ask(client, 1))


def test_nothing_can_be_reloaded_where_nothing_is_given() -> None:
    with pytest.raises(ValueError, match="no endpoints are named"):
        InferenceSection(reload_endpoints=True)

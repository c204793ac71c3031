"""What a service does with configs that others submit: whom it asks, with which key, and how long it takes."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from inverse_instruct.config.config_file import parse_config
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.runner import RunPlayer
from inverse_instruct.store.run_dir import RunDir
from tests.loop_service.conftest import JSON, LiveService, config

pytestmark = pytest.mark.timeout(180)
KEY = "the-key-of-the-operator"
YAML = {"content-type": "application/yaml"}


class Stranger(ThreadingHTTPServer):
    """An address that notes who asks it and with which key."""

    daemon_threads = True

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.keys.append(self.headers.get("authorization"))
                self.send_response(302)
                self.send_header("location", f"{stranger.url}/elsewhere")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    server = Stranger()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVERSE_INSTRUCT_API_KEY", KEY)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    services: list[LiveService] = []

    def start(*allowed: object) -> LiveService:
        live = LiveService(tmp_path, *allowed)
        services.append(live)
        live.start()
        return live

    yield start
    for live in services:
        if live.process and live.process.poll() is None:
            live.end(signal.SIGTERM)
        live.http.close()


def test_an_address_that_nobody_named_is_not_asked(
    start: Any, stranger: Stranger, toy_model: Path, tmp_path: Path
) -> None:
    service = start(tmp_path, toy_model)
    reply = service.submit(config("curious", toy_model, stranger.url, tmp_path))
    assert reply.status_code == 422 and "inference.endpoints.0" in reply.text and "--allow" in reply.text
    assert service.http.get("/runs").json() == {"runs": []} and not stranger.keys


def test_the_key_goes_to_the_endpoints_that_it_was_given_for(
    start: Any, stranger: Stranger, toy_model: Path, tmp_path: Path
) -> None:
    service = start(tmp_path, toy_model, stranger.url)
    assert service.submit(config("honest", toy_model, stranger.url, tmp_path)).status_code == 201
    service.wait_for_state("honest", "failed")  # it is no engine
    assert stranger.keys and set(stranger.keys) == {f"Bearer {KEY}"}
    assert KEY not in service.http.get("/runs/honest").text and KEY not in service.log.read_text()


@pytest.mark.parametrize(
    ("allowed", "endpoints", "submitted", "given"),
    [
        (Allowed(), [], True, False),  # a server of our own needs none
        (Allowed.of(["http://a:1"]), ["http://a:1"], True, True),
        (Allowed.of(["http://a:1"], unsafe=True), ["http://a:1", "http://b:1"], True, False),
        (Allowed.of([], unsafe=True), ["http://b:1"], True, False),
        (Allowed(), ["http://b:1"], False, True),  # a config of whoever starts the service
    ],
)
def test_a_run_has_the_key_if_it_needs_it_and_asks_nobody_else(
    tmp_path: Path, allowed: Allowed, endpoints: list[str], submitted: bool, given: bool
) -> None:
    queue, run_dir = RunQueue(tmp_path / "queue.json"), RunDir(tmp_path / "x")
    queue.want("x", submitted=submitted)
    pin_config(
        parse_config(
            {
                "name": "x",
                "model": {"base": "smollm2-135m"},
                "corpus": [{"path": "o/n"}],
                "inference": {"endpoints": endpoints},
            }
        ),
        run_dir,
    )
    player = RunPlayer(
        tmp_path,
        queue,
        replace(allowed, names=allowed.names | {"o/n"}),
    )
    assert ("INVERSE_INSTRUCT_API_KEY" in player._environment(run_dir, "x")) is given


def test_a_run_that_was_taken_once_is_looked_at_again(
    start: Any, stranger: Stranger, toy_model: Path, tmp_path: Path
) -> None:
    service = start(tmp_path, toy_model, stranger.url)
    assert service.submit(config("old", toy_model, stranger.url, tmp_path)).status_code == 201
    service.end(signal.SIGKILL)  # it is in the queue

    stranger.keys.clear()
    service = start(tmp_path, toy_model)
    assert "is no endpoint of this service" in service.wait_for_state("old", "failed")["reason"]
    reply = service.act("old", "resume")
    assert reply.status_code == 422 and "inference.endpoints.0" in reply.text
    by_hand = tmp_path / "runs/by-hand/run.yaml"
    by_hand.parent.mkdir()
    by_hand.write_text(yaml.safe_dump(config("by-hand", toy_model, stranger.url, tmp_path)))
    assert service.act("by-hand", "resume").status_code == 422, "who wrote it is not known"
    assert not stranger.keys


BOMBS = {
    "maps": "{" * 60_000,
    "few maps": "{" * 4000,
    "lists": "[" * 60_000,
    "both": "[{" * 30_000,
    "closed in comments": "{ #}\n" * 12_000,
    "dashes": "- " * 30_000,
    "questions": "? " * 30_000,
    "indents": "".join(" " * number + "a:\n" for number in range(340)),
    "many values": "- a\n" * 15_000,
    "a flow of values": "[" + "a," * 30_000 + "]",
    "aliases": "a: &a x\nb: [" + "*a," * 15_000 + "]",
    "merges": "a: &a {x: 1}\nb: &b {<<: [" + "*a," * 3000 + "]}\nc: {<<: [" + "*b," * 3000 + "]}",
    "sixties": "seed: " + "1:" * 30_000 + "1",
    "sixties with a point": "seed: " + "1:" * 300 + "1.5",
    "hex": "seed: 0x" + "f" * 60_000,
    "unknown keys": "".join(f"k{number}: 1\n" for number in range(6000)),
    "unknown suites": "evaluate: {suites: [" + "{suite: huma}," * 4000 + "]}",
    "escapes": '"' + "\\x41" * 15_000 + '"',
    "quotes": "'" * 60_000,
}


def test_no_body_holds_up_the_service(start: Any, toy_model: Path, silent_endpoint: str, tmp_path: Path) -> None:
    service = start()
    slowest, over = 0.0, threading.Event()

    def look() -> None:
        nonlocal slowest
        with httpx.Client(base_url=service.http.base_url, trust_env=False, timeout=30) as client:
            while not over.is_set():
                started = time.monotonic()
                assert client.get("/runs/none").status_code == 404
                slowest = max(slowest, time.monotonic() - started)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        deep = '{"seed": ' + "[" * 900 + "]" * 900 + "}"
        for body, headers in [
            *((bomb, YAML) for bomb in BOMBS.values()),
            (deep, JSON),
            ("[" * 60_000, JSON),
            (json.dumps({f"k{n}": {} for n in range(6000)})[:65_000], JSON),
        ]:
            started = time.monotonic()
            reply = service.http.post("/runs", content=body, headers=headers)
            assert reply.status_code in (400, 422) and "Traceback" not in reply.text, body[:80]
            assert time.monotonic() - started < 3, body[:80]
    finally:
        over.set()
        looking.join()
    assert slowest < 1  # on a machine that does nothing else 0.1
    assert "Traceback" not in service.log.read_text()

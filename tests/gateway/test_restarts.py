"""An engine that dies or hangs comes back by itself; meanwhile clients are told to come again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from inverse_instruct.inference import watch
from tests.gateway.conftest import Gateway
from tests.gateway.runs import events, promote
from tests.gateway.test_swaps import wait_until


def test_killed_under_a_stream(gateway: Gateway) -> None:
    *chunks, last = gateway.stream("tokens=9 delay=0.05 die=3")
    assert len(chunks) == 3 and last["error"]["code"] == 503 and last["error"]["retry_after"] >= 1
    gateway.wait_for("round-00")
    assert gateway.stream()[-1] == "[DONE]"
    told = events(gateway.run_dir)
    assert any("the engine of round-00 died and is started again" in event for event in told)
    assert "is back after" in told[-1]
    assert "inverse_instruct_engine_restarts_total 1.0" in gateway.http.get("/metrics").text


@pytest.mark.parametrize("stream", [True, False])
def test_killed_before_the_first_token(gateway: Gateway, stream: bool) -> None:
    reply = gateway.ask("die=0", stream=stream)
    assert reply.status_code == 503 and int(reply.headers["retry-after"]) >= 1 and reply.json()["error"]
    reply = gateway.ask()
    assert reply.status_code == 503 and int(reply.headers["retry-after"]) >= 1
    gateway.wait_for("round-00")
    assert gateway.ask().status_code == 200


def test_one_of_two_dies_and_the_other_goes_on(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(replicas=2)
    gateway.wait_for("round-00")
    gateway.ask("die=0")
    assert [gateway.ask().status_code for _ in range(5)] == [200] * 5
    wait_until(lambda: all(engine.ready for engine in gateway.service.engines))


@pytest.mark.slow  # a stopped process is given its time to end
def test_one_that_hangs_is_started_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "HANG_SECONDS", 1.0)
    pid = gateway.http.get(f"{gateway.service.engines[0].url}/health").json()["pid"]
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.ask)
        gateway.wait(lambda status: status["state"] == "restarting")
        assert waiting.result().status_code == 503
    gateway.wait_for("round-00")
    assert gateway.ask().status_code == 200
    assert any("gave no sign of life" in event for event in events(gateway.run_dir))


def test_one_that_answers_but_computes_no_more_is_started_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STALL_SECONDS", 2.0)
    reply = gateway.ask("tokens=9 delay=600", stream=True)
    assert reply.status_code == 503 and int(reply.headers["retry-after"]) >= 1
    gateway.wait_for("round-00")
    assert gateway.ask().status_code == 200
    assert any("gave no token for" in event for event in events(gateway.run_dir))


def test_a_client_that_reads_slowly_is_not_taken_for_a_hang(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STALL_SECONDS", 2.0)
    asked = {"model": "current", "prompt": "tokens=3000 size=10000", "stream": True}
    with gateway.http.stream("POST", "/v1/completions", json=asked) as reply:
        pieces = reply.iter_raw()
        next(pieces)
        wait_until(lambda: not gateway.service.engines[0].waiting)
        time.sleep(6)
        assert gateway.service.engines[0].in_flight == 1
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
    assert not any("started again" in event for event in events(gateway.run_dir))


def test_one_that_dies_again_and_again_is_left_alone_until_a_person_acts(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(inference={"max_restarts": 1})
    gateway.wait_for("round-00")
    gateway.ask("die=0")
    gateway.wait_for("round-00")
    gateway.ask("die=0")
    status = gateway.wait(lambda status: status["state"] == "failed")
    assert "left alone" in status["reason"] and not status["ready"]
    assert gateway.ask().status_code == 503
    assert any("1 times within an hour" in event for event in events(gateway.run_dir))
    promote(gateway.run_dir, 1)
    gateway.wait_for("round-01")
    assert gateway.ask().status_code == 200

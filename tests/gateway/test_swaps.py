"""The served checkpoint changes, and nobody notices; one that cannot be served changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.commands import serve
from inverse_instruct.errors import ModelError, NoRoomError, StartError
from inverse_instruct.gateway import deployment, memory, postponed
from inverse_instruct.inference import watch
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.system.machine import free_port
from tests.gateway.conftest import Gateway
from tests.gateway.runs import events, make_run, promote, promoted, roll_back

MODES = pytest.mark.parametrize("mode", ["blue_green", "in_place"])


def wait_until(what: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


@MODES
def test_no_request_fails_or_is_cut_and_each_stream_ends_on_the_model_that_began_it(
    start_gateway: Callable[..., Gateway], mode: str
) -> None:
    gateway = start_gateway(mode=mode)
    gateway.wait_for("round-00")
    stop, streams = threading.Event(), list[list[Any]]()

    def client() -> None:
        while not stop.is_set():
            streams.append(gateway.stream("tokens=10 delay=0.05"))

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        for act, name in (
            (partial(promote, gateway.run_dir, 1), "round-01"),
            (partial(promote, gateway.run_dir, 2), "round-02"),
            (partial(roll_back, gateway.run_dir), "round-01"),
        ):
            act()
            gateway.wait_for(name)
            time.sleep(0.6)
        stop.set()
        for done in clients:
            done.result()
    said: dict[str, set[str]] = {}
    for *chunks, done in streams:
        assert done == "[DONE]" and chunks[-1]["choices"][0]["finish_reason"] == "length"
        assert len({chunk["model"] for chunk in chunks}) == 1
        said.setdefault(chunks[0]["model"], set()).update(chunk["choices"][0]["text"] for chunk in chunks)
    assert said.keys() == {"round-00", "round-01", "round-02"}
    assert all(len(texts) == 1 for texts in said.values()) and len(set.union(*said.values())) == 3
    wait_until(lambda: len(gateway.service.engines) == 1)
    metrics = gateway.http.get("/metrics").text
    assert 'swaps_total{outcome="done"} 4.0' in metrics and 'checkpoint="round-01"' in metrics
    assert gateway.ask(model="round-02").status_code == 404


def corrupt_bytes(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def truncate(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 50)


def fault(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "fault").write_text(name)


@pytest.mark.parametrize(
    ("mode", "damages"),
    [
        (
            "blue_green",
            {
                "has changed since it was measured": corrupt_bytes,
                "these weights do not fit": fault("unhealthy"),
                "is not whole": lambda folder: (folder / "tokenizer.json").unlink(),
                "the canary got no answer": fault("nan"),
            },
        ),
        (
            "in_place",
            {
                "is damaged": truncate,
                "answered 500 to /collective_rpc": fault("reload"),
                "those of the old weights": fault("stale"),
                "the canary got no answer": fault("nan"),
            },
        ),
    ],
)
def test_what_cannot_be_served_is_taken_back(
    start_gateway: Callable[..., Gateway],
    toy_model: Path,
    tmp_path: Path,
    mode: str,
    damages: dict[str, Callable[[Path], None]],
) -> None:
    gateway = start_gateway(make_run(tmp_path / "run", toy_model, 6, mode=mode, inference={"max_restarts": 0}))
    gateway.wait_for("round-00")
    before = gateway.ask().json()["choices"][0]["text"]
    for number, (reason, damage) in enumerate(damages.items(), 1):
        damage(gateway.run_dir.checkpoint(number))
        promote(gateway.run_dir, number)
        wait_until(lambda: promoted(gateway.run_dir) == "round-00")
        gateway.wait_for("round-00")
        reply = gateway.ask().json()
        assert (reply["model"], reply["choices"][0]["text"]) == ("round-00", before)
        told = events(gateway.run_dir)[-1]
        assert f"round-{number:02d} is not served" in told and reason in told
        with Ledger(gateway.run_dir.ledger) as ledger:
            move = ledger.promotions()[-1]
        assert (move.round, move.author) == (0, "gateway") and f"round-{number:02d} cannot be served" in move.reason
    assert 'swaps_total{outcome="failed"} 4.0' in gateway.http.get("/metrics").text
    promote(gateway.run_dir, 5)
    gateway.wait_for("round-05")
    roll_back(gateway.run_dir)  # what was refused leaves no trace: back to what was served before
    gateway.wait_for("round-00")
    untied = tmp_path / "cache" / "inverse-instruct" / "untied"
    digest = gateway.http.get("/ready").json()["digest"]
    wait_until(lambda: [folder.name for folder in untied.glob("*")] == [digest])


def test_a_canary_that_was_measured_must_agree(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    gateway.wait_for("round-00")
    known = {"canary": {"prompt": [1, 2], "labels": [3, 4], "logprobs": [-1.0, -2.0]}}
    with Ledger(gateway.run_dir.ledger) as ledger, ledger._db as db:
        db.execute("UPDATE checkpoints SET metrics = ? WHERE round = 1", (json.dumps(known),))
    promote(gateway.run_dir, 1)
    wait_until(lambda: promoted(gateway.run_dir) == "round-00")
    assert any("were measured of this checkpoint" in event for event in events(gateway.run_dir))


def test_nothing_promoted_is_503_until_something_is(
    start_gateway: Callable[..., Gateway], toy_model: Path, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path / "run", toy_model, 2)
    with Ledger(run_dir.ledger) as ledger, ledger._db as db:
        db.execute("UPDATE checkpoints SET state = 'candidate'")
        db.execute("DELETE FROM promotions")
    gateway = start_gateway(run_dir)
    reply = gateway.ask()
    assert reply.status_code == 503 and "no checkpoint is promoted" in reply.text and reply.headers["retry-after"]
    ready = gateway.http.get("/ready")
    assert ready.status_code == 503 and ready.json()["state"] == "waiting" and ready.headers["retry-after"]
    assert gateway.http.get("/v1/models").json()["data"] == []
    promote(run_dir, 1)
    gateway.wait_for("round-01")
    assert gateway.ask().json()["model"] == "round-01"


def test_a_first_checkpoint_that_cannot_be_served_says_so_and_the_next_one_is(
    start_gateway: Callable[..., Gateway], toy_model: Path, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path / "run", toy_model, 2)
    truncate(run_dir.checkpoint(0))
    gateway = start_gateway(run_dir)
    gateway.wait(lambda status: status["state"] == "failed")
    assert "round-00 cannot be served" in gateway.ask().json()["error"]["message"]
    promote(run_dir, 1)
    gateway.wait_for("round-01")


def test_without_room_for_a_second_engine_the_first_takes_the_weights(
    start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start_gateway()
    gateway.wait_for("round-00")
    [engine] = gateway.service.engines
    monkeypatch.setattr(memory, "ENGINE_BYTES", 1 << 50)
    before = gateway.ask().json()["choices"][0]["text"]
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gateway.stream, "tokens=10 delay=0.1")
        wait_until(lambda: gateway.service.admission.in_flight)
        promote(gateway.run_dir, 1)
        gateway.wait_for("round-01")
        assert stream.result()[-1] == "[DONE]"
    assert gateway.service.engines == [engine] and gateway.ask().json()["choices"][0]["text"] != before
    assert any(
        "round-01 comes into the running engine: 1 more engine(s) need" in told for told in events(gateway.run_dir)
    )


def test_a_swap_without_room_and_without_weights_that_can_be_exchanged_waits_for_memory(
    start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_understood(model: Path, digest: str) -> Path:
        raise ModelError("which tensor they are cannot be told")

    monkeypatch.setattr(deployment, "untied_folder", not_understood)
    monkeypatch.setattr(postponed, "FIRST_SECONDS", 0.5)
    gateway = start_gateway(inference={"max_restarts": 0})
    gateway.wait_for("round-00")
    with pytest.MonkeyPatch.context() as full:
        full.setattr(memory, "ENGINE_BYTES", 1 << 50)
        promote(gateway.run_dir, 1)
        status = gateway.wait(lambda status: (status["postponed"] or {}).get("attempts") == 2)
        assert status["ready"] and status["checkpoint"] == "round-00" and promoted(gateway.run_dir) == "round-01"
        assert status["postponed"]["checkpoint"] == "round-01" and 0 < status["postponed"]["next_seconds"] <= 1
    assert gateway.wait_for("round-01")["postponed"] is None
    told = [event for event in events(gateway.run_dir) if "cannot be served yet" in event]
    assert len(told) == 2 and "is tried again in 0 s: 1 more engine(s) need about" in told[0]
    assert 'swaps_total{outcome="postponed"} 2.0' in gateway.http.get("/metrics").text


def test_a_first_engine_without_room_is_started_when_there_is(
    start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postponed, "FIRST_SECONDS", 0.5)
    with pytest.MonkeyPatch.context() as full:
        full.setattr(memory, "ENGINE_BYTES", 1 << 50)
        gateway = start_gateway()
        gateway.wait(lambda status: status["postponed"] is not None)
        reply = gateway.ask()
        assert reply.status_code == 503 and "cannot be served yet, see the ledger" in reply.text
    gateway.wait_for("round-00")


def test_an_engine_that_does_not_start_is_tried_again_a_few_times(
    start_gateway: Callable[..., Gateway], toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postponed, "FIRST_SECONDS", 0.1)
    run_dir = make_run(tmp_path / "run", toy_model, 3, inference={"max_restarts": 2})
    for number in (1, 2):
        fault("unhealthy")(run_dir.checkpoint(number))
    gateway = start_gateway(run_dir)
    gateway.wait_for("round-00")
    promote(run_dir, 1)
    gateway.wait(lambda status: status["postponed"] is not None)
    (run_dir.checkpoint(1) / "fault").unlink()  # as if memory were free now
    gateway.wait_for("round-01")
    promote(run_dir, 2)
    wait_until(lambda: promoted(run_dir) == "round-01", 60)
    told = [event for event in events(run_dir) if event.startswith("round-02 ")]
    assert ["cannot be served yet" in event for event in told] == [True, True, False]
    assert "is not served" in told[-1] and gateway.ask().json()["model"] == "round-01"


def test_waits_double_up_to_the_longest() -> None:
    waiting = postponed.Postponed("round-01", 1)
    assert waiting.is_due()
    waits = [waiting.note(NoRoomError("full")) for _ in range(2000)]
    assert waits[:4] == [10, 20, 40, 80] and waits[-1] == 600 and not waiting.is_due()
    assert waiting.may_try(0)  # memory may be free at any time
    waiting.note(StartError("it ended"))
    assert not waiting.may_try(0) and waiting.may_try(1)


@MODES
def test_who_does_not_end_in_time_is_told(start_gateway: Callable[..., Gateway], mode: str) -> None:
    gateway = start_gateway(mode=mode, drain_timeout_seconds=0.5)
    gateway.wait_for("round-00")
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gateway.stream, "tokens=100 delay=1")
        wait_until(lambda: gateway.service.admission.in_flight)
        time.sleep(1.2)
        promote(gateway.run_dir, 1)
        gateway.wait_for("round-01")
        first, *_, last = stream.result()
    assert first["model"] == "round-00" and last["error"]["code"] == 503


def test_a_client_that_reads_nothing_does_not_hold_up_a_swap(
    start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "CLIENT_SECONDS", 2)
    gateway = start_gateway(mode="in_place")
    gateway.wait_for("round-00")
    asked = {"model": "current", "prompt": "tokens=3000 size=10000", "stream": True}
    with gateway.http.stream("POST", "/v1/completions", json=asked) as reply:
        next(reply.iter_raw())
        promote(gateway.run_dir, 1)
        gateway.wait_for("round-01")
        assert gateway.ask().status_code == 200


def given_engine(model: Path, port: int) -> subprocess.Popen[bytes]:
    fake = Path(__file__).with_name("fake_engine.py")
    return subprocess.Popen([sys.executable, str(fake), "--model", str(model), "--port", str(port)])


def test_given_engines_take_the_weights_also_after_they_were_gone(
    start_gateway: Callable[..., Gateway], toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    engine = given_engine(toy_model, port)
    try:
        gateway = start_gateway(mode="in_place", endpoints=[f"http://127.0.0.1:{port}/v1"])
        gateway.wait_for("round-00")
        promote(gateway.run_dir, 1)
        gateway.wait_for("round-01")
        text = gateway.ask().json()["choices"][0]["text"]
        monkeypatch.setattr(watch, "HANG_SECONDS", 1.0)
        engine.kill()
        engine.wait()
        gateway.wait(lambda status: not status["ready"])
        engine = given_engine(toy_model, port)
        gateway.wait_for("round-01")
        assert gateway.ask().json()["choices"][0]["text"] == text
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()

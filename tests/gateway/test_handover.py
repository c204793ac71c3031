"""Devices in turn, from the gateway's side: a run has them when no engine is on them, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inverse_instruct.errors import DevicesError
from inverse_instruct.system import shared_devices
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.system.supervisor import descendants
from tests.gateway.conftest import Gateway
from tests.gateway.runs import make_run, promote
from tests.gateway.test_swaps import wait_until

RUN = """
import sys, time
from pathlib import Path
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.system.supervisor import descendants
shared = SharedDevices.open(Path(sys.argv[1]))
shared.take("run x uses the devices")
print("taken", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The device on which an engine is; beside it the log of who was."""
    monkeypatch.setenv("FAKE_DEVICE", str(tmp_path / "device"))
    return tmp_path / "device"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SharedDevices]:
    """The side of a run that is another process as far as locks go."""
    shared = SharedDevices.open(tmp_path / "shared")
    yield shared
    shared.close()


def log_of(device: Path) -> list[str]:
    return device.with_suffix(".log").read_text().splitlines()


@pytest.mark.parametrize(
    ("how", "left"), [("sleep", ["engine on", "engine off"]), ("stop", ["engine on", "engine ends"])]
)
def test_a_run_has_the_devices_once_the_requests_and_the_engine_are_off_them(
    start_gateway: Callable[..., Gateway], tmp_path: Path, device: Path, run: SharedDevices, how: str, left: list[str]
) -> None:
    gateway = start_gateway(during_training=how, shared=tmp_path / "shared", mode="in_place")
    gateway.wait_for("round-00")
    with ThreadPoolExecutor(2) as pool:
        stream = pool.submit(gateway.stream, "tokens=10 delay=0.2")
        wait_until(lambda: gateway.service.admission.in_flight)
        taking = pool.submit(run.take, "run x uses the devices")
        gateway.wait(lambda status: status["state"] == "paused")
        assert not taking.done() and not stream.done() and log_of(device) == ["engine on"]
        reply = gateway.ask()
        assert reply.status_code == 503 and reply.headers["retry-after"] and "run x uses the devices" in reply.text
        taking.result(20)
        assert stream.done() and stream.result()[-1] == "[DONE]" and log_of(device) == left
    promote(gateway.run_dir, 1)
    time.sleep(1.2)
    assert log_of(device) == left and gateway.ask().status_code == 503
    run.give_back()
    gateway.wait_for("round-01")
    assert gateway.ask().json()["model"] == "round-01"
    assert log_of(device)[len(left) :] == ["engine on"]


@pytest.mark.slow
def test_an_engine_that_does_not_say_that_it_sleeps_is_ended(
    start_gateway: Callable[..., Gateway], toy_model: Path, tmp_path: Path, device: Path, run: SharedDevices
) -> None:
    run_dir = make_run(tmp_path / "run", toy_model, 1, during_training="sleep")
    (run_dir.checkpoint(0) / "fault").write_text("sleepless")
    gateway = start_gateway(run_dir, tmp_path / "shared")
    gateway.wait_for("round-00")
    run.take("run x")
    assert log_of(device) == ["engine on", "engine ends"]
    run.give_back()
    gateway.wait_for("round-00")
    assert gateway.ask().status_code == 200


def test_an_engine_that_dies_asleep_is_not_started_before_the_devices_are_back(
    start_gateway: Callable[..., Gateway], tmp_path: Path, device: Path, run: SharedDevices
) -> None:
    gateway = start_gateway(during_training="sleep", shared=tmp_path / "shared")
    gateway.wait_for("round-00")
    pid = gateway.http.get(f"{gateway.service.engines[0].url}/health").json()["pid"]
    run.take("run x")
    os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    assert log_of(device) == ["engine on", "engine off"]
    run.give_back()
    gateway.wait(lambda status: status["ready"] and gateway.ask().status_code == 200)
    assert log_of(device)[2:] == ["engine on"]


@pytest.mark.slow
def test_a_run_that_is_killed_while_the_requests_end_is_not_waited_for(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(during_training="stop", shared=tmp_path / "shared")
    gateway.wait_for("round-00")
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gateway.stream, "tokens=50 delay=0.2")
        wait_until(lambda: gateway.service.admission.in_flight)
        killed = taker(tmp_path)
        gateway.wait(lambda status: status["state"] == "paused")
        killed.kill()
        killed.wait()
        gateway.wait_for("round-00")
        assert not stream.done() and gateway.ask().status_code == 200
        assert stream.result()[-1] == "[DONE]"


def test_a_run_that_is_killed_with_the_devices_leaves_them(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(during_training="stop", shared=tmp_path / "shared")
    gateway.wait_for("round-00")
    killed = taker(tmp_path)
    assert killed.stdout and killed.stdout.readline() == b"taken\n"
    assert gateway.ask().status_code == 503
    killed.kill()
    killed.wait()
    gateway.wait_for("round-00")


def taker(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, str(folder / "shared")]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)


def test_engines_hold_the_lock_when_the_gateway_is_killed(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(during_training="stop", shared=tmp_path / "shared")
    gateway.wait_for("round-00")
    [engine] = gateway.service.engines
    assert engine.server and engine.server._process
    for pid in (engine.server._process.pid, *descendants(engine.server._process.pid)):
        files = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
        assert str(tmp_path / "shared" / "devices") in files and str(tmp_path / "shared" / "wanted") not in files


@pytest.mark.slow
def test_a_gateway_that_starts_while_a_run_has_the_devices_waits(
    start_gateway: Callable[..., Gateway], tmp_path: Path, device: Path, run: SharedDevices
) -> None:
    run.take("run x uses the devices")
    gateway = start_gateway(during_training="stop", shared=tmp_path / "shared")
    gateway.wait(lambda status: status["state"] == "paused")
    time.sleep(1)
    assert not device.exists()
    run.give_back()
    gateway.wait_for("round-00")


@pytest.mark.slow
def test_a_run_that_waits_too_long_says_what_to_do(
    start_gateway: Callable[..., Gateway], tmp_path: Path, run: SharedDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_devices, "WAIT_SECONDS", 1.0)
    gateway = start_gateway(during_training="stop", shared=tmp_path / "shared")
    gateway.wait_for("round-00")
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gateway.stream, "tokens=20 delay=0.2")
        wait_until(lambda: gateway.service.admission.in_flight)
        with pytest.raises(DevicesError, match=r"not freed the devices within 1 s: .*serve\.drain_timeout_seconds"):
            run.take("run x")
        gateway.wait_for("round-00")
        assert not stream.done()


def test_nobody_has_what_another_side_has(tmp_path: Path) -> None:
    one, other = SharedDevices.open(tmp_path), SharedDevices.open(tmp_path)
    assert one.take_if_free() and one.take_if_free() and not other.take_if_free()
    one.release()
    other.take("words")
    assert not one.take_if_free() and one.wish() == "words"
    other.take("shorter")  # it has them
    assert one.wish() == "shorter"
    other.close()
    assert one.wish() is None and one.take_if_free()


def test_the_environment_names_them_once(tmp_path: Path) -> None:
    shared = SharedDevices.open(tmp_path)
    environment = {"A": "b"} | shared.variable
    found = SharedDevices.inherited(environment)
    assert found and found.files == shared.files and environment == {"A": "b"}
    assert SharedDevices.inherited(environment) is None

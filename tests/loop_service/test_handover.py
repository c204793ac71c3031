"""One device for the gateway and its runs, both real processes: whoever dies at whichever step, they never overlap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.service import HOME
from inverse_instruct.system.machine import free_port
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import descendants
from tests.gateway.runs import make_run
from tests.system.test_supervisor import wait_until_gone

pytestmark = pytest.mark.timeout(240)


def slow(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


HOW = pytest.mark.parametrize("how", ["sleep", slow("stop")])


class OneDevice:
    """A service that is started, killed and asked, and the steps of its run."""

    def __init__(self, folder: Path, model: Path, how: str) -> None:
        self.port = free_port()
        self.run_dir = make_run(folder / "runs" / "served", model, 1, port=self.port, during_training=how)
        (folder / "runs" / HOME).mkdir()
        queue = RunQueue(folder / "runs" / HOME / "queue.json")
        queue.want("served", submitted=False)
        queue.end("served", "stopped", "")
        self.device, self.steps = folder / "device", folder / "steps"
        self.steps.mkdir()
        self.output = folder / "serve.log"
        self.let_linger(1)
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "FAKE_DEVICE": str(self.device),
            "STAND_IN_STEPS": str(self.steps),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False)
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "tests/loop_service/stand_in_serve.py"), str(self.run_dir.path)]
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def wait(self, what: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None and time.monotonic() < deadline, self.told()
            time.sleep(0.05)

    def told(self) -> str:
        return self.output.read_text() + "\n".join(self.log)

    def ready(self) -> dict[str, Any]:
        try:
            return dict(self.http.get("/ready").json())
        except httpx.TransportError:
            return {"ready": False, "state": ""}

    def serves(self) -> bool:
        return bool(self.ready()["ready"]) and self.ask().status_code == 200

    def ask(self) -> httpx.Response:
        return self.http.post("/v1/completions", json={"model": "current", "prompt": "tokens=3"})

    def play(self) -> None:
        self.http.post("/api/runs/served/resume", json={}).raise_for_status()

    def state(self) -> str:
        return str(self.http.get("/api/runs/served").json()["state"])

    def let_linger(self, seconds: float) -> None:
        """Have engines and trainers stay on the device for so long after they were told to go."""
        Path(f"{self.device}.linger").write_text(str(seconds))

    def let(self, name: str) -> None:
        (self.steps / name).touch()

    def reach(self, name: str) -> int:
        """Wait for a step of the run; return the pid of who is there."""
        path = self.steps / f"{name}.reached"
        self.wait(lambda: path.exists() and path.read_text())
        return int(path.read_text())

    @property
    def log(self) -> list[str]:
        path = self.device.with_suffix(".log")
        return path.read_text().splitlines() if path.exists() else []

    def check_turns(self) -> None:
        """See that nobody came onto the device while another was on it, also if it was killed."""
        assert not [line for line in self.log if "OVERLAPS" in line], self.told()

    def close(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            family = descendants(self.process.pid)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            assert not wait_until_gone(family)


@pytest.fixture
def service(tmp_path: Path, toy_model: Path, how: str) -> Iterator[OneDevice]:
    service = OneDevice(tmp_path, toy_model, how)
    try:
        service.wait(service.serves)
        yield service
    finally:
        service.close()


@HOW
def test_the_device_goes_to_the_run_and_back(service: OneDevice, how: str) -> None:
    service.play()
    service.reach("asks")
    assert service.serves() and service.log == ["gateway's engine on"]  # the run needs no device so far
    service.let("asks")
    service.reach("asked")
    off = "gateway's engine off" if how == "sleep" else "gateway's engine ends"
    assert service.log == ["gateway's engine on", off, "run's engine on"]
    reply = service.ask()
    assert reply.status_code == 503 and reply.headers["retry-after"]
    assert "run quickstart uses the devices" in reply.text and service.ready()["state"] == "paused"
    service.let("asked")
    service.reach("trained")
    assert service.log[3:] == ["run's engine ends", "trainer on"] and service.ask().status_code == 503
    service.let("trained")
    service.wait(service.serves)
    service.wait(lambda: service.state() == "done")
    assert service.log[5:] == ["trainer ends", "gateway's engine on"]
    service.check_turns()


@HOW
@pytest.mark.parametrize("last", [slow("asks"), slow("asked"), slow("trained")])
def test_a_run_that_is_killed_leaves_the_device_when_all_of_it_is_gone(service: OneDevice, how: str, last: str) -> None:
    service.play()
    for name in ["asks", "asked", "trained"]:
        pid = service.reach(name)
        if name == last:
            break
        service.let(name)
    else:
        raise AssertionError(last)
    service.let_linger(5)  # longer than an engine takes to start or wake
    if last == "trained":  # the pid is the trainer's; its run is the parent of its supervisor
        pid = parent(parent(pid))
    os.kill(pid, signal.SIGKILL)
    service.wait(lambda: service.state() == "failed")
    service.wait(service.serves)
    service.check_turns()
    assert service.log[-1] == "gateway's engine on"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@HOW
@pytest.mark.parametrize("last", [slow("served"), slow("asked"), slow("trained")])
def test_a_gateway_that_is_killed_and_started_again_goes_on_with_the_run(
    service: OneDevice, how: str, last: str
) -> None:
    service.play()
    for name in ["asks", "asked", "trained"]:
        service.reach(name)
        if name == last or (name, last) == ("asks", "served"):
            break
        service.let(name)
    service.let_linger(8)  # longer than it takes to start a service; they are killed after ten
    service.process.kill()
    service.process.wait()
    for path in service.steps.iterdir():
        path.unlink()
    service.start()  # while engines of the one before still end
    service.wait(lambda: service.ready()["state"])
    service.let_linger(1)
    for name in ["asks", "asked", "trained"]:
        service.let(name)
    service.wait(lambda: service.state() == "done", 120)
    service.wait(service.serves)
    service.check_turns()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["serve"])
def test_engines_that_are_to_serve_on_do_so(service: OneDevice, how: str) -> None:
    service.play()
    service.let("asks")
    service.wait(lambda: service.state() == "failed")  # with no room for its own
    assert "run's engine OVERLAPS" in service.log and service.serves()

"""The command `serve --with-loop`: its run, its keys, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from inverse_instruct.loop_service.service import HOME
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.system.machine import free_port
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.system.supervisor import descendants
from tests.loop_service.conftest import config

pytestmark = pytest.mark.timeout(180)
KEY = {"authorization": "Bearer opensesame"}


def command(*options: Any) -> list[str]:
    return [sys.executable, "-m", "inverse_instruct.cli", "serve", *map(str, options)]


def wait_for_run(url: str, process: subprocess.Popen[bytes], state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    run: dict[str, Any] = {}
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            run = httpx.get(f"{url}/api/runs/served", headers=KEY, trust_env=False).json()
            if run["state"] == state and run["stages"]:
                return run
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(run)


def test_the_config_is_played_behind_the_keys_of_the_gateway(
    toy_model: Path, silent_endpoint: str, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("alice: opensesame\n")
    port = free_port()
    path = tmp_path / "loop.yaml"
    path.write_text(
        yaml.safe_dump(
            config(
                "anything",
                toy_model,
                silent_endpoint,
                tmp_path,
                serve={"port": port, "api_keys": str(tmp_path / "keys"), "during_training": "stop"},
            )
        )
    )
    run_dir = tmp_path / "runs" / "served"
    url = f"http://127.0.0.1:{port}"
    for _ in range(2):  # the second time it goes on with what was running
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                command("--with-loop", path, "--run-dir", run_dir), cwd=ROOT, stdout=log, stderr=log
            )
        try:
            assert wait_for_run(url, process, "running")["queue_position"] == 0
            assert httpx.get(f"{url}/api/runs", trust_env=False).status_code == 401
            assert httpx.post(f"{url}/api/runs/served/stop", json={}, trust_env=False).status_code == 401
            sibling = yaml.safe_load(path.read_text()) | {"name": "sibling", "serve": {}}
            curious = sibling | {"score": {"template": "/etc/hostname"}}
            for tree, code in ((sibling, (200, 201)), (curious, (422,))):  # CONFIG says what may be named
                reply = httpx.post(f"{url}/api/runs", json=tree, headers=KEY, trust_env=False, timeout=30)
                assert reply.status_code in code, reply.text
            waiting = httpx.get(f"{url}/ready", trust_env=False)
            assert (waiting.status_code, waiting.json()["state"]) == (503, "waiting")

            shared = SharedDevices.open(run_dir.parent / HOME)
            shared.take("run served uses the devices")  # as the run would, if its engine were not a given one
            deadline = time.monotonic() + 20
            while httpx.get(f"{url}/ready", trust_env=False).json()["state"] != "paused":
                assert time.monotonic() < deadline, "the engines do not rest"
                time.sleep(0.1)
            shared.close()
            family = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (tmp_path / "log").read_text()
        finally:
            if process.poll() is None:
                process.kill()
        assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
        with Ledger(run_dir / "ledger.db") as ledger:
            assert (row := ledger.run()) and row.state == "interrupted"


def test_what_the_command_refuses(toy_model: Path, refusing_endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(yaml.safe_dump(config("x", toy_model, refusing_endpoint, tmp_path) | {"seed": -1}))
    cases = {
        (): "name the run to serve",
        ("--with-loop",): "name the run that is served",
        ("--with-loop", str(path)): "loop.yaml",
        ("--with-loop", "--run-dir", str(tmp_path / "none")): "is not a run",
        ("--run-dir", str(tmp_path / "none"), "--allow", str(tmp_path)): "without --with-loop no configs are taken",
        ("--with-loop", "--run-dir", str(tmp_path / "none"), "--allow", "/nowhere"): "--allow /nowhere: is no folder",
    }
    for options, words in cases.items():
        done = subprocess.run(command(*options), cwd=ROOT, text=True, capture_output=True, timeout=60, env=os.environ)
        assert done.returncode in (1, 2) and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "none").exists()

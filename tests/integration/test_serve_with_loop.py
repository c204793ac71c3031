"""`serve --with-loop`: a client keeps asking while the loop plays its rounds, and a service that is killed goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.machine import free_port
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import descendants
from tests.integration.serving import Answer, Load, Served, under_load
from tests.integration.test_loop import result, write_config

pytestmark = pytest.mark.integration
CLIENTS = 4
SMALL = ("rounds=1", "corpus.0.limit=12", "summarize.candidates=2", "evaluate.suites.0.limit=6")


class LoopServed(Served):
    """`serve --with-loop`, which can be killed and started again."""

    def __init__(self, run_dir: RunDir, config: Path, overrides: tuple[str, ...], log: Path) -> None:
        self.run_dir = run_dir
        self.log = log
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.command = [
            sys.executable,
            "-m",
            "inverse_instruct.cli",
            "serve",
            "--with-loop",
            str(config),
            "--run-dir",
            str(run_dir.path),
            "--set",
            f"serve.port={port}",
            *options(overrides),
        ]
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=stream, stderr=stream)

    def kill(self) -> None:
        family = descendants(self.process.pid)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in family):
            assert time.monotonic() < deadline, "processes of the killed service live on"
            time.sleep(0.1)

    def run(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/api/runs/{self.run_dir.path.name}", trust_env=False, timeout=30).json())

    def wait_until(self, reached: Callable[[dict[str, Any]], bool], seconds: float = 1500) -> None:
        deadline = time.monotonic() + seconds
        while not reached(run := self.run()):
            assert self.process.poll() is None and run["state"] != "failed", run["reason"]
            assert time.monotonic() < deadline, run
            time.sleep(0.5)


def options(overrides: tuple[str, ...]) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def check_load(load: Load, what: str) -> None:
    """No request failed or was cut off, and each names the checkpoint that answered it."""

    def whole(answer: Answer) -> bool:
        return (
            answer.done
            and answer.error is None
            and answer.finish_reason == "length"
            and answer.models == {answer.checkpoint.partition("@")[0]}
        )

    names = sorted({answer.checkpoint.partition("@")[0] for answer in load.answers})
    print(f"{what}: {len(load.answers)} answers of {', '.join(names)}, {len(load.errors)} errors")
    assert load.errors == [] and load.answers and all(map(whole, load.answers))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("model", ["tiny", "quickstart"])
def test_the_loop_plays_behind_the_gateway_and_survives_a_kill(
    model: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = write_config(tmp_path, tiny_model) if model == "tiny" else ROOT / "configs/quickstart.yaml"
    overrides = () if model == "tiny" else SMALL
    began = time.monotonic()
    serving = LoopServed(RunDir(tmp_path / "runs" / model), config, overrides, tmp_path / "serve.log")
    try:
        serving.wait_for("round-00", 1500)
        print(f"round 0 is served after {time.monotonic() - began:.0f} s")
        with under_load(serving, CLIENTS, 16) as load:
            serving.wait_until(
                lambda run: any(
                    stage["stage"] == "train" and stage["round"] == 1 and (stage["done"] or 0) > 0
                    for stage in run["stages"]
                )
            )
            load.wait(lambda answer: True)
        check_load(load, "before the kill")

        killed = time.monotonic()
        serving.kill()
        serving.start()
        serving.wait_for("round-00", 600)
        print(f"killed in training; round 0 is served again after {time.monotonic() - killed:.0f} s")
        with under_load(serving, CLIENTS, 16) as load:
            serving.wait_until(lambda run: run["state"] == "done")
            if serving.run()["rounds"][1]["promoted"]:
                load.wait(lambda answer: answer.checkpoint.startswith("round-01"))
        check_load(load, "after it")
        print(f"done {time.monotonic() - killed:.0f} s after the kill")
        assert serving.stop() == 0
    finally:
        if serving.process.poll() is None:
            serving.kill()
        print(serving.log.read_text()[-4000:])

    whole = tmp_path / "whole"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "inverse_instruct.cli",
            "run",
            str(config),
            "--run-dir",
            str(whole),
            *options(overrides),
        ],
        cwd=ROOT,
        check=True,
        timeout=1800,
    )
    assert result(serving.run_dir.path) == result(whole)
    assert not (serving.run_dir.path / "round-02").exists()

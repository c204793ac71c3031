"""The gateway shows the pages of its run under /dashboard, to those who have a key."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from inverse_instruct.config.config_file import dump_config, load_config

from .made_run import RunWriter

CONFIG = Path(__file__).resolve().parents[2] / "configs/quickstart.yaml"


def wait_for_port(log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if "listening on " in line:
                return line.rpartition(" ")[2]
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


def test_dashboard_of_the_served_run(growing_run: RunWriter, tmp_path: Path) -> None:
    growing_run.preprocess()
    growing_run.run_dir.config.write_text(dump_config(load_config(CONFIG)))
    (tmp_path / "keys").write_text("ada: sk-ada\n")
    settings = {"port": 0, "mode": "in_place", "endpoints": '["http://127.0.0.1:9"]', "api_keys": tmp_path / "keys"}
    command = [sys.executable, "-m", "inverse_instruct.cli", "serve", "--run-dir", str(growing_run.run_dir.path)]
    command += [part for name, value in settings.items() for part in ("--set", f"serve.{name}={value}")]
    log = tmp_path / "log"
    with log.open("w") as stream, subprocess.Popen(command, stderr=stream) as process:
        try:
            with httpx.Client(base_url=wait_for_port(log), auth=("anybody", "sk-ada"), follow_redirects=True) as client:
                assert client.get("/dashboard").url.path == "/dashboard/"
                assert client.get("/", headers={"accept": "text/html"}).url.path == "/dashboard/"
                assert "/dashboard/" in client.get("/").json()["contents"]
                assert client.get("/dashboard/data.json").json()["name"] == "a <b>run</b>"
                assert client.get("/dashboard/rows", params={"q": "task_7("}).json()["matched"] == 1
                assert client.get("/dashboard/", auth=("anybody", "sk-eve")).status_code == 401
        finally:
            process.send_signal(signal.SIGTERM)

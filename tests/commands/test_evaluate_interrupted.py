"""An interrupt ends an evaluation within seconds, whatever is being judged; the same command goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from evaluation import MINI_PATH
from inverse_instruct.system.root import ROOT

PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()][:4]
BODIES = {"computes": "    while True:\n        pass\n", "sleeps": "    import time\n    time.sleep(1000)\n"}
ENDS_WITHIN_SECONDS = 10.0


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "inverse_instruct.cli",
        "evaluate",
        "--samples",
        str(folder / "samples.jsonl"),
        "--output",
        str(folder / "out"),
        "--limit",
        "4",
        *options,
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")},
    )


def sandboxes(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def verdicts(folder: Path) -> list[str]:
    path = folder / "out/mini/verdicts.jsonl"
    return path.read_text().splitlines() if path.is_file() else []


def interrupt(tmp_path: Path, body: str, sent: signal.Signals, *options: str) -> None:
    rows = [
        {"task_id": problem["task_id"], "solution": problem["prompt"] + problem["canonical_solution"]}
        for problem in PROBLEMS
    ]
    rows[-1]["solution"] = PROBLEMS[-1]["prompt"] + BODIES[body]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = start(tmp_path, *options)
    while len(verdicts(tmp_path)) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    left = sandboxes(process)
    assert left
    started = time.monotonic()
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - started < ENDS_WITHIN_SECONDS
    assert process.returncode == 130 and "the same command goes on from there" in errors and "Traceback" not in errors
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive
    assert len(verdicts(tmp_path)) == 3, "what was interrupted has no verdict"


@pytest.mark.parametrize(
    ("body", "sent", "options"),
    [("computes", signal.SIGTERM, []), ("sleeps", signal.SIGINT, []), ("computes", signal.SIGINT, ["--unsandboxed"])],
)
def test_what_is_judged_ends_with_the_command(
    tmp_path: Path, body: str, sent: signal.Signals, options: list[str]
) -> None:
    interrupt(tmp_path, body, sent, *options)


@pytest.mark.slow
def test_an_interrupted_evaluation_goes_on(tmp_path: Path) -> None:
    interrupt(tmp_path, "computes", signal.SIGTERM)
    again = start(tmp_path)
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    results = [json.loads(line) for line in (tmp_path / "out/mini/results.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in results] == [None, None, None, "time"]

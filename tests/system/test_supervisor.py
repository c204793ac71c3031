"""Nothing that runs under the supervisor outlives its parent."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inverse_instruct.system import supervisor
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import descendants, interrupt_supervised, start_supervised, stop_supervised

ORPHAN_MAKER = (
    "import os, time, subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\ntime.sleep(1000)"
)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 5.0) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def wait_for_descendants(pid: int, count: int) -> list[int]:
    deadline = time.monotonic() + 10
    while len(found := descendants(pid)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_exit_code_and_output_pass_through(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = start_supervised(
            [sys.executable, "-c", "print('hi'); raise SystemExit(7)"], env=dict(os.environ), log=log
        )
        assert process.wait(20) == 7
    assert (tmp_path / "log").read_text() == "hi\n"


def test_files_stay_open_until_all_is_gone(tmp_path: Path) -> None:
    held = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    with (tmp_path / "log").open("wb") as log, (tmp_path / "lock").open() as other:
        process = start_supervised([sys.executable, "-c", ORPHAN_MAKER], env=dict(os.environ), log=log, files=[held])
        os.close(held)  # as if this process had been killed
        [command, _] = wait_for_descendants(process.pid, 2)
        os.kill(command, signal.SIGKILL)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.wait(20)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stop_supervised(process)


def test_stop_ends_processes_in_sessions_of_their_own(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = start_supervised([sys.executable, "-c", ORPHAN_MAKER], env=dict(os.environ), log=log)
        pids = wait_for_descendants(process.pid, 2)
        assert len(pids) == 2
        stop_supervised(process)
    assert wait_until_gone(pids) == []


def test_kill_9_of_the_parent_ends_everything(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\nfrom inverse_instruct.system.supervisor import start_supervised\n"
        f"start_supervised([sys.executable, '-c', {ORPHAN_MAKER!r}], env=dict(os.environ), "
        f"log=open({str(tmp_path / 'log')!r}, 'wb'))\ntime.sleep(1000)"
    )
    root = str(ROOT)
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root)
    pids = wait_for_descendants(parent.pid, 3)
    assert len(pids) == 3
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until_gone(pids) == []


def test_a_supervisor_that_was_stopped_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(supervisor, "KILL_SECONDS", 0.2)
    with (tmp_path / "log").open("wb") as log:
        process = start_supervised(["sleep", "1000"], env=dict(os.environ), log=log)
    children = wait_for_descendants(process.pid, 1)
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    stop_supervised(process)
    assert time.monotonic() - began < 5 and not wait_until_gone(children)


def test_a_command_that_is_asked_ends_by_itself(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys, time\nchild = subprocess.Popen(['sleep', '1000'])\n"
        "def end(number, frame):\n    print(child.poll()); sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(1000)"
    )
    with (tmp_path / "log").open("wb") as log:
        process = start_supervised([sys.executable, "-c", script], env=dict(os.environ), log=log)
        deadline = time.monotonic() + 20
        while not (tmp_path / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pids = descendants(process.pid)
        assert interrupt_supervised(process)
        assert process.wait(20) == 5
    assert not interrupt_supervised(process), "there is nobody to ask"
    assert (tmp_path / "log").read_text() == "up\nNone\n", "its own children are its own affair"
    assert wait_until_gone(pids) == []

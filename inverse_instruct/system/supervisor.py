"""Runs a command so that nothing of it outlives us: `python -m inverse_instruct.system.supervisor COMMAND ...`.

Standard input is a pipe held open by the parent. When it closes, because the parent closed it or was killed in any
way, every descendant of the command is ended: SIGTERM, then SIGKILL after a grace. Orphans count too, as this process
is their subreaper. Imports are kept light so that it is up at once. Not covered: SIGKILL of the supervisor itself ends
the direct child only.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from inverse_instruct.system.root import ROOT

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 10.0
KILL_SECONDS = 10.0  # for the kernel to end what was killed


def start_supervised(
    command: list[str], *, env: dict[str, str], log: IO[bytes], cwd: Path | None = None, files: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a command under a supervisor; output goes to `log`. End it with `stop_supervised`.

    Args:
        command: program and arguments.
        env: the whole environment of the command.
        log: an open binary file that takes stdout and stderr.
        cwd: folder to run in; None: the current one.
        files: open files that stay open, with their locks, until the command and all that it started are gone.
    """
    supervisor = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from inverse_instruct.system.supervisor import main; main()",
    ]
    return subprocess.Popen(
        [*supervisor, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        pass_fds=files,
        start_new_session=True,
    )


def stop_supervised(process: subprocess.Popen[bytes]) -> int:
    """End the command and everything it started; return its exit code once all of it is gone."""
    if process.stdin:
        process.stdin.close()
    try:
        return process.wait(GRACE_SECONDS + KILL_SECONDS)
    except subprocess.TimeoutExpired:  # the supervisor itself was stopped
        kill_supervised(process)
        return process.wait()


def kill_supervised(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything it started at once, also what is stopped or hangs."""
    for pid in [*descendants(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def interrupt_supervised(process: subprocess.Popen[bytes]) -> bool:
    """Ask the command to end by itself, with one SIGTERM to it alone; tell whether it is up and could be asked."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        command = int(children.read_text().split()[0])  # the oldest; the others are orphans that were adopted
        os.kill(command, signal.SIGTERM)
    except (OSError, IndexError):
        return False
    return True


def descendants(pid: int) -> list[int]:
    """Return the pids of all living descendants of a process, from one reading of /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def _end_descendants() -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    sent = signal.SIGTERM
    while pids := descendants(os.getpid()):
        for pid in pids:
            try:
                os.kill(pid, sent)
            except ProcessLookupError:
                pass
        pause = time.monotonic() + 1.0
        while time.monotonic() < pause and descendants(os.getpid()):
            time.sleep(0.05)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL


def _prepare_child(supervisor: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)


def main() -> None:
    """Run the command of `sys.argv` until it ends or standard input closes; exit with its code."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    child = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=lambda: _prepare_child(own), close_fds=False
    )

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    code: int | None = None
    try:
        while (code := child.poll()) is None:
            readable, _, _ = select.select([0], [], [], 0.2)
            if readable and not os.read(0, 4096):
                break
    finally:
        _end_descendants()
    sys.exit(child.wait() if code is None else code)


if __name__ == "__main__":
    main()

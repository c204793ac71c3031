"""Devices that a gateway and the runs behind it use in turn: one side has them until nothing of it is left on them.

Enters: a folder. Leaves: two files that are locked. `devices` is locked by who has the devices, `wanted` by a run that
wants them or has them. The locks are the kernel's, of open files; whoever is started with these files holds them, too.
So a side that is killed has the devices until the last process that was started with the files has ended, and no
longer. Not guaranteed: anything about processes that know nothing of the files, such as a run that is started by hand.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import MutableMapping
from pathlib import Path

from inverse_instruct.errors import DevicesError

VARIABLE = "INVERSE_INSTRUCT_SHARED_DEVICES"
WAIT_SECONDS = 1800.0  # an engine that is just starting and requests in flight come to their end first
LOOK_SECONDS = 0.1
MAX_WORDS_BYTES = 500


class SharedDevices:
    """One side's open files of the two locks."""

    def __init__(self, devices: int, wanted: int) -> None:
        """Take the open files; nothing is locked yet."""
        self.devices, self._wanted = devices, wanted

    @classmethod
    def open(cls, folder: Path) -> SharedDevices:
        """Open the files of a folder, which are made where they are not there."""
        folder.mkdir(parents=True, exist_ok=True)
        devices, wanted = (os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600) for name in ("devices", "wanted"))
        return cls(devices, wanted)

    @classmethod
    def inherited(cls, environment: MutableMapping[str, str]) -> SharedDevices | None:
        """Return those that this process was started with, if it was; its own children know nothing of them."""
        value = environment.pop(VARIABLE, None)
        if value is None:
            return None
        files = [int(number) for number in value.split(",")]
        for file in files:
            os.set_inheritable(file, False)
        return cls(*files)

    @property
    def files(self) -> tuple[int, int]:
        """The open files, for a process that is to have the devices in its own right."""
        return self.devices, self._wanted

    @property
    def variable(self) -> dict[str, str]:
        """What that process is told in its environment."""
        return {VARIABLE: ",".join(map(str, self.files))}

    def close(self) -> None:
        """Close the files; what was started with them still holds what it holds."""
        for file in self.files:
            os.close(file)

    # -- the gateway, which has the devices whenever nobody wants them -------------------------------------------------

    def wish(self) -> str | None:
        """Return the words of the run that wants the devices or has them; None: none does."""
        if _lock(self._wanted):
            fcntl.flock(self._wanted, fcntl.LOCK_UN)
            return None
        return os.pread(self._wanted, MAX_WORDS_BYTES, 0).decode(errors="replace")

    def take_if_free(self) -> bool:
        """Have the devices from now on, if no process of another side is left on them; tell whether it is so."""
        return _lock(self.devices)

    def release(self) -> None:
        """Have the devices no longer; what was started with the files must be off them."""
        fcntl.flock(self.devices, fcntl.LOCK_UN)

    # -- a run ---------------------------------------------------------------------------------------------------------

    def take(self, words: str) -> None:
        """Want the devices, and return when nothing else is on them; who has them already returns at once.

        Args:
            words: what the gateway is to tell those who ask it meanwhile.

        Raises:
            DevicesError: they are not free within `WAIT_SECONDS`.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        _await_lock(self._wanted, deadline)  # the gateway looks at it for a moment
        os.ftruncate(self._wanted, 0)
        os.pwrite(self._wanted, words.encode()[:MAX_WORDS_BYTES], 0)
        try:
            _await_lock(self.devices, deadline)
        except DevicesError:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Neither have the devices nor want them; what this process started must be off them."""
        for file in self.files:
            fcntl.flock(file, fcntl.LOCK_UN)


def _await_lock(file: int, deadline: float) -> None:
    while not _lock(file):
        if time.monotonic() > deadline:
            raise DevicesError(
                f"the gateway has not freed the devices within {WAIT_SECONDS:.0f} s: requests are still with its "
                "engine, or that does not end; see the gateway's log, let serve.drain_timeout_seconds end such "
                "requests, and go on with the run"
            )
        time.sleep(LOOK_SECONDS)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # NFS says the second
        return False
    return True

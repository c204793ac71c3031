"""A small disk of its own: a tmpfs that can be filled, emptied and made read-only."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FREE_STEP = 4096  # tmpfs gives room in pages


@dataclass(frozen=True)
class SmallDisk:
    """A mounted disk; `ballast` takes up room in it."""

    path: Path
    ballast: Path

    def leave(self, free_bytes: int) -> None:
        """Fill the disk up to so many free bytes, or make room for them."""
        with self.ballast.open("ab+") as stream:
            while True:
                taken = os.fstat(stream.fileno()).st_blocks * 512
                wanted = max(0, taken + self.free() - free_bytes) // FREE_STEP * FREE_STEP
                stream.truncate(wanted)
                try:
                    os.posix_fallocate(stream.fileno(), 0, max(1, wanted))
                    return
                except OSError as error:
                    if error.errno != errno.ENOSPC:  # else somebody has just taken the room
                        raise

    def free(self) -> int:
        """Return the free bytes."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def remount(self, options: str) -> None:
        """Change how the disk is mounted."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@contextmanager
def small_disk(path: Path, size_bytes: int, ballast: str = "ballast") -> Iterator[SmallDisk]:
    """Mount a disk for the length of a test; skips the test where that is not permitted."""
    path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path, path / ballast)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)

"""Damage to files on purpose: a bit that flips, an end that is missing."""

from __future__ import annotations

import os
import random
from pathlib import Path


def flip_bit(path: Path, dice: random.Random) -> None:
    """Flip one bit of a file, as a bad disk does; neither size nor time of change tell of it."""
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    with path.open("r+b") as stream:
        place = dice.randrange(path.stat().st_size)
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << dice.randrange(8)]))
    os.utime(path, ns=times)


def truncate(path: Path, dice: random.Random) -> None:
    """Cut a file off somewhere."""
    os.truncate(path, dice.randrange(path.stat().st_size))


def garble_line(path: Path) -> None:
    """Replace a line in the middle of a file by garbage."""
    content = path.read_bytes().splitlines(keepends=True)
    content[len(content) // 2] = b"\0\xff garbage\n"
    path.write_bytes(b"".join(content))

"""A folder that one process at a time may write; the kernel frees it when that process ends, however it ends.

A file system without locks is refused. Not guaranteed: that a lock on NFS is kept while its server is away.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from inverse_instruct.errors import RunDirError

logger = logging.getLogger(__name__)

LOCK = "lock"
HELD = (errno.EWOULDBLOCK, errno.EACCES)  # NFS says the second
LOOKING_ATTEMPTS = 5
LOOKING_SECONDS = 0.02


def is_locked(folder: Path) -> bool:
    """Tell whether a process holds the folder."""
    try:
        with (folder / LOCK).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno in HELD
    return False


def check_free(folder: Path, option: str) -> None:
    """See that this process could hold a folder, without making or changing anything.

    Raises:
        RunDirError: another process holds it, or it cannot be written.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as stream:
            _take_lock(stream, folder, option)
    except OSError as error:
        raise _unwritable(folder, error, option) from error
    if (folder / LOCK).exists() and is_locked(folder):
        raise _in_use(folder, (folder / LOCK).read_text(encoding="utf-8"), option)


@contextmanager
def lock_folder(folder: Path, option: str) -> Iterator[None]:
    """Hold a folder for this process, and make it where it is not there.

    Args:
        folder: what to hold.
        option: of the command line, that names it; for messages.

    Raises:
        RunDirError: another process holds it (its pid and host are named), or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error, option) from error
    with stream:
        try:
            _take_lock(stream, folder, option)
        except BlockingIOError as error:
            stream.seek(0)
            raise _in_use(folder, stream.read(), option) from error
        stream.seek(0)
        if earlier := stream.read().strip():  # who ends in order leaves nothing; the kernel has freed the lock
            logger.info("%s was held by %s, which was killed: its lock is stale and is taken over", folder, earlier)
        stream.truncate(0)
        stream.write(f"pid {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


def _unwritable(folder: Path, error: OSError, option: str) -> RunDirError:
    return RunDirError(f"{folder}: cannot be written ({error.strerror}); choose another {option}")


def _in_use(folder: Path, holder: str, option: str) -> RunDirError:
    return RunDirError(
        f"{folder} is in use by {holder.strip() or 'another process'}; wait for it, stop it, or choose another {option}"
    )


def _take_lock(stream: IO[Any], folder: Path, option: str) -> None:
    """Lock a file; who only looks with `is_locked` holds it for a moment, which is waited for.

    Raises:
        BlockingIOError: another process holds it.
        RunDirError: the file system has no locks.
    """
    for attempt in range(LOOKING_ATTEMPTS + 1):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in HELD:
                raise RunDirError(
                    f"{folder}: its file system cannot lock files ({error.strerror}); choose another {option}, or have "
                    "it mounted with locks (NFS: version 4, or 3 without nolock)"
                ) from error
            if attempt == LOOKING_ATTEMPTS:
                raise BlockingIOError(*error.args) from error
            time.sleep(LOOKING_SECONDS)

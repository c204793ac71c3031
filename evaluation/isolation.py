"""The bubblewrap command line: what a process inside sees of this machine.

Enters: a command and what it may read. Leaves: the command line that runs it in new namespaces (user, process, network,
IPC, mount, host name), without capabilities, on a read-only system, with one small writable folder or none, and none of
the caller's environment.
Not guaranteed: limits on memory, time or processes; who starts the command sets those.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.errors import SandboxUnavailable

SCRATCH = "/tmp"
"""The writable folder inside; a file system of its own, in memory."""

_PACKAGE = Path(__file__).resolve().parent
_SYSTEM_FOLDERS = ("/lib", "/lib32", "/lib64", "/libx32")
DEVICES = ("/dev/null", "/dev/urandom")
"""Not /dev/zero: memory mapped from it is the kernel's, and no process is charged for it."""
_ENVIRONMENT = {"HOME": SCRATCH, "TMPDIR": SCRATCH, "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}


def isolated(
    command: Sequence[str],
    *,
    scratch_bytes: int,
    readable: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the command line that runs `command` in isolation.

    `readable` maps folders or files of this machine to the places where they are seen inside, besides /usr and the
    system libraries. Without `scratch_bytes` nothing can be written. `options` are further ones of bubblewrap, put
    before the last mounts.

    Raises:
        SandboxUnavailable: bubblewrap is not installed.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnavailable("bubblewrap is not installed: apt-get install bubblewrap")
    places = {"/usr": "/usr"} | dict(readable or {})
    line = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for folder, place in places.items():
        line += ["--ro-bind", folder, place]
    line += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", *_system_folder_options()]
    for device in DEVICES:
        line += ["--dev-bind", device, device]
    for folder, place in places.items():
        if _PACKAGE.is_relative_to(folder):  # an installed copy of this package holds the benchmark's answers
            hidden = str(Path(place, _PACKAGE.relative_to(folder)))
            line += ["--tmpfs", hidden, "--remount-ro", hidden]
    scratch = ["--size", str(scratch_bytes), "--tmpfs", SCRATCH] if scratch_bytes else ["--dir", SCRATCH]
    line += [*options, *scratch, "--chdir", SCRATCH, "--remount-ro", "/"]
    for name, value in (_ENVIRONMENT | dict(environment or {})).items():
        line += ["--setenv", name, value]
    return [*line, *command]


def _system_folder_options() -> list[str]:
    options: list[str] = []
    for folder in _SYSTEM_FOLDERS:
        if os.path.islink(folder):
            options += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            options += ["--ro-bind", folder, folder]
    return options

"""What a folder lies on: a disk of this machine, or one that others write as well.

Enters: a path, and the kernel's table of mounts. Leaves: whether the file system is a network's. Not guaranteed: file
systems that the table does not name by their kind, such as an NFS behind a container's overlay.
"""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = re.compile(r"nfs4?|cifs|smb3?|9p|afs|ceph|lustre|gpfs|beegfs|pvfs2|orangefs|gfs2|ocfs2|glusterfs|fuse\..*")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def is_on_network(path: Path) -> bool:
    """Tell whether a path, which need not be there yet, lies on a file system that other machines write as well."""
    kind = _kind_of(path.absolute())
    return kind is not None and NETWORK.fullmatch(kind) is not None


def _kind_of(path: Path) -> str | None:
    """Return the kind of the file system that is mounted last and deepest above a path."""
    found: tuple[int, str] | None = None
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:  # no Linux, or no /proc
        return None
    whole = path.resolve()
    for line in lines:
        about, _, kind = line.partition(" - ")
        place = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), about.split()[4]))
        depth = len(place.parts)
        if whole.is_relative_to(place) and (found is None or depth >= found[0]):
            found = depth, kind.split()[0]
    return found[1] if found else None

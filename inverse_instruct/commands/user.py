"""Who types a command, for the record."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """Return the name of the user, or the number of one that has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"

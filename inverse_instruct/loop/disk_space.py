"""What a full or read-only disk means for a run: what is free, what the rest of the run needs, what to do.

Enters: an error on its way out of a run. Leaves: a `RunDirError` that says so, or nothing if the disk is not the cause.
The need is that of `check`: right within a factor of a few.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop.plan import bytes_needed

FULL = r"No space left on device|[Dd]isk quota exceeded|disk is full|File too large"
NO_ROOM_BYTES = 2**18  # with less than this, whatever failed failed for want of room, in whatever words
READ_ONLY = r"Read-only file system|readonly database"


def disk_error(error: BaseException, config: RunConfig, run_dir: Path) -> RunDirError | None:
    """Return what a person must do about the disk, if an error comes from it."""
    text = str(error).rstrip()
    if re.search(READ_ONLY, text):
        return RunDirError(
            f"{text}\n{run_dir} has become read-only: mount its disk for writing and run the same "
            "command again; what was recorded is kept"
        )
    free = shutil.disk_usage(run_dir).free if run_dir.exists() else NO_ROOM_BYTES
    if not re.search(FULL, text) and free >= NO_ROOM_BYTES:
        return None
    needed = bytes_needed(config, run_dir)
    return RunDirError(
        f"{text}\nThe disk of {run_dir} is full: {free / 1e6:,.1f} MB are free and the rest of the run "
        f"needs about {needed / 1e6:,.0f} MB. Free some space there and run the same command again; "
        "what was recorded is kept"
    )

"""Where this package lies, and how child processes find it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages `inverse_instruct` and `evaluation`: a checkout or `site-packages`."""


def python_path() -> str:
    """Return the PYTHONPATH of a child process: ours before what this process was given."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

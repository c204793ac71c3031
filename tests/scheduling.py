"""Which tests run in one process, and which start first, where several processes run them.

Two real engines at once starve each other, so all that start one are one piece of work; it starts first, since it takes
the longest. Tests that work on copies of one finished run share the process that played it.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = {
    "engines": ("tests/integration/",),
    "a whole run": ("tests/faults/test_kills.py", "tests/faults/test_damage.py"),
}
"""Name of a piece of work -> beginnings of the paths of its tests; any other file is one of its own."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out pieces of work in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((name for name, beginnings in TOGETHER.items() if path.startswith(beginnings)), path)


def make_scheduler(config: Any, log: Any) -> Scheduling:
    """Return the scheduling of a session that runs tests in several processes."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)

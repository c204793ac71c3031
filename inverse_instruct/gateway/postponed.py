"""A promotion that cannot be served yet: how often that was tried, and when it is tried again.

Enters: attempts that failed for want of memory or of an engine that starts. Leaves: when the next one is due; the waits
double from `FIRST_SECONDS` to `LONGEST_SECONDS`. Not guaranteed: that the next attempt comes the moment memory is free.
"""

from __future__ import annotations

import time
from typing import Any

from inverse_instruct.errors import NoRoomError, StartError

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0


class Postponed:
    """What has become of one promotion."""

    def __init__(self, name: str, move: int) -> None:
        """Take the checkpoint's name and the promotion's id; nothing has failed yet."""
        self.name, self.move = name, move
        self.attempts = 0
        self._failed_starts = 0
        self._due = 0.0

    def note(self, error: StartError) -> float:
        """Take note of a failed attempt; return after how many seconds the next one is due."""
        self.attempts += 1
        self._failed_starts += not isinstance(error, NoRoomError)
        wait = min(FIRST_SECONDS * 2.0 ** min(self.attempts - 1, 16), LONGEST_SECONDS)
        self._due = time.monotonic() + wait
        return wait

    def may_try(self, failed_starts: int) -> bool:
        """Tell whether a further attempt makes sense: memory may be free at any time, but not every engine starts.

        Args:
            failed_starts: after so many of them, one more is the last.
        """
        return self._failed_starts <= failed_starts

    def is_due(self) -> bool:
        """Tell whether it is time for the next attempt."""
        return time.monotonic() >= self._due

    def plain(self) -> dict[str, Any]:
        """Return what `/ready` tells of it."""
        return {
            "checkpoint": self.name,
            "attempts": self.attempts,
            "next_seconds": round(max(0.0, self._due - time.monotonic()), 1),
        }

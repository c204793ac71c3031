"""What the service is doing, in a word and a reason, and when it is worth asking again.

Enters: what happens to the engines. Leaves: the state that `/ready` shows, and refusals with a Retry-After.
"""

from __future__ import annotations

import math
import time
from typing import Literal

from inverse_instruct.web.api_error import ApiError

State = Literal["waiting", "starting", "serving", "swapping", "restarting", "paused", "failed"]

MAX_RETRY_SECONDS = 60  # longer ones are not followed by every client
UNKNOWN_RETRY_SECONDS = 15  # where nobody knows how long it takes
FIRST_START_SECONDS = 40.0  # until one was measured


class Availability:
    """The state of one service."""

    state: State
    reason: str

    def __init__(self) -> None:
        """Begin with nothing to serve."""
        self.set_waiting()
        self._start_seconds = FIRST_START_SECONDS

    def set_waiting(self) -> None:
        """Say that there is nothing to serve."""
        self.set("waiting", "no checkpoint is promoted so far")

    def set(self, state: State, reason: str = "") -> None:
        """Change the state; a start that was being waited for is over."""
        self.state, self.reason = state, reason
        self._started: float | None = None  # when the start began that is being waited for

    def set_starting(self, state: State, reason: str) -> None:
        """Change the state to one that ends when an engine has started."""
        self.set(state, reason)
        self._started = time.monotonic()

    def note_start(self, seconds: float) -> None:
        """Take note of how long a start took: the next one will take about as long."""
        self._start_seconds = seconds

    def error(self) -> ApiError:
        """Return the refusal of a request that may be sent again."""
        wait = UNKNOWN_RETRY_SECONDS
        if self.state == "serving":
            wait = 1
        elif self._started is not None:
            wait = max(1, math.ceil(self._started + self._start_seconds - time.monotonic()))
        reason = self.reason or "the engine does not answer"
        return ApiError(503, f"{reason}; try again later", retry_after=min(wait, MAX_RETRY_SECONDS))

"""Counts the rows that failed for good, and stops a run in which they are too many.

Enters: the outcome of every row. Leaves: nothing, or a `ServerError` that names the most frequent failure. The share is
that of the last `WINDOW_ROWS` rows, so that failures that begin after days are seen within minutes. Rows that do not
fit into the context are no failures of the server and are not counted.
"""

from __future__ import annotations

from collections import Counter, deque

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.records import Reason

WINDOW_ROWS = 1000
MIN_FAILED_ROWS = 10  # so many are let pass whatever their share

REMEDIES = {
    Reason.REQUEST_FAILED: "look at the server's log, and raise inference.request_timeout_seconds if it is only slow",
    Reason.BAD_REPLY: "check that the endpoint runs the model that it is taken for, and what stands between",
    Reason.BAD_SCORE: "the weights may give no numbers: try inference.dtype float32, and look at the checkpoint",
    Reason.KILLS_ENGINE: "look at the server's log for what kills it, such as a lack of memory",
}


class FailedShare:
    """The outcomes of the last rows."""

    def __init__(self, most: float) -> None:
        """Take the share of rows that may fail."""
        self._most = most
        self._recent: deque[Reason | None] = deque(maxlen=WINDOW_ROWS)

    def answered(self, rows: int) -> None:
        """Count rows that were answered."""
        self._recent.extend([None] * rows)

    def failed(self, error: RequestError) -> None:
        """Count a row that failed for good.

        Raises:
            ServerError: they are too many now.
        """
        if error.reason == Reason.TOO_LONG:
            return
        self._recent.append(error.reason)
        reasons = Counter(reason for reason in self._recent if reason)
        failed = reasons.total()
        if failed <= max(MIN_FAILED_ROWS, self._most * len(self._recent)):
            return
        reason, count = reasons.most_common(1)[0]
        raise ServerError(
            f"{failed} of the last {len(self._recent)} rows failed, more than inference.max_failed_share "
            f"({self._most:.0%}) allows; most often it was {reason} ({count} times): {REMEDIES[reason]}. The last one: "
            f"{error}. Run again to go on: what was answered is kept"
        ) from error

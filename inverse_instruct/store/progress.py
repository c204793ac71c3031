"""Progress of a piece of work, for the person at the terminal (tqdm on standard error) and for a record of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

RECORD_INTERVAL_SECONDS = 1.0


class Progress:
    """A bar with rate and ETA whose state is recorded about once a second."""

    def __init__(
        self,
        description: str,
        unit: str,
        record: Callable[[int, int | None], None] = lambda done, total: None,
        *,
        shown: bool = True,
    ) -> None:
        """Start at nothing done.

        Args:
            description: stands before the bar.
            unit: what is counted, in the singular.
            record: told (done, total or None) now and then.
            shown: False where the work shows a bar of its own.
        """
        self._record = record
        self._bar = tqdm(unit=unit, desc=description, dynamic_ncols=True, disable=not shown)
        self._done = self._tokens = 0
        self._total: int | None = None
        self._started = self._recorded = time.monotonic()

    def __enter__(self) -> Progress:
        """Use as a context manager so that the bar is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar."""
        self._bar.close()

    def expect(self, total: int | None) -> None:
        """Say how many items there are in all."""
        self._total = self._bar.total = total
        self._bar.refresh()
        self._record(self._done, total)

    def reach(self, done: int) -> None:
        """Set the number of finished items."""
        self.advance(done - self._done)

    def advance(self, items: int = 1, tokens: int = 0) -> None:
        """Count finished items, and the tokens generated for them."""
        self._done += items
        self._tokens += tokens
        self._bar.update(items)
        now = time.monotonic()
        if now - self._recorded > RECORD_INTERVAL_SECONDS:
            self._recorded = now
            self._record(self._done, self._total)
            if self._tokens:
                self._bar.set_postfix_str(f"{self._tokens / (now - self._started):.0f} tokens/s")

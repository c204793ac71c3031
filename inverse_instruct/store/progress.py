"""Progress of a piece of work, for the person at the terminal (tqdm on standard error) and for a record of it.

Where standard error is no terminal, but a file or a pipe, there is a line now and then in place of a bar.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tqdm import tqdm

RECORD_INTERVAL_SECONDS = 1.0
LINE_INTERVAL_SECONDS = 60.0


class _Lines:
    """Standard error, where each state of a bar is a line of its own."""

    def write(self, text: str) -> None:
        """Write a state of the bar, or nothing where it only ends a line."""
        if state := text.strip():
            sys.stderr.write(f"{state}\n")

    def flush(self) -> None:
        """Write what is left."""
        sys.stderr.flush()


def open_bar(description: str, unit: str, total: int | None = None, *, shown: bool = True) -> tqdm[Any]:
    """Return a bar, or what writes lines in its place.

    Args:
        description: stands before it.
        unit: what is counted, in the singular.
        total: how much there is; None: not known.
        shown: False for a bar that shows nothing.
    """
    form: dict[str, Any] = {} if sys.stderr.isatty() else {"file": _Lines(), "mininterval": LINE_INTERVAL_SECONDS}
    return tqdm(desc=description, unit=unit, total=total, disable=not shown, dynamic_ncols=not form, **form)


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
        self._bar = open_bar(description, unit, shown=shown)
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
        if sys.stderr.isatty():
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

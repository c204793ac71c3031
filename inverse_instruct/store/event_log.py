"""What a run's process warns of on standard error is an event in the run's ledger too.

Enters: log records of this package from warnings upwards. Leaves: events. Not guaranteed: the event, where the ledger
cannot be written; the warning is on standard error all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.ledger import Ledger


class EventHandler(logging.Handler):
    """Writes warnings as events; each through a connection of its own, as any thread may warn."""

    def __init__(self, ledger: Path) -> None:
        """Write into the ledger at this path."""
        super().__init__(logging.WARNING)
        self._path = ledger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one warning."""
        with suppress(RunDirError), Ledger(self._path) as ledger:
            ledger.add_event(record.getMessage())


@contextmanager
def warnings_as_events(ledger: Path) -> Iterator[None]:
    """Record what is warned of in this block."""
    package, handler = logging.getLogger("inverse_instruct"), EventHandler(ledger)
    package.addHandler(handler)
    try:
        yield
    finally:
        package.removeHandler(handler)

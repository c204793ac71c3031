"""Progress of a stage, for the person at the terminal (tqdm on standard error) and for the ledger."""

from __future__ import annotations

import time
from types import TracebackType

from tqdm import tqdm

from inverse_instruct.store.ledger import Ledger

LEDGER_INTERVAL_SECONDS = 1.0


class StageProgress:
    """A bar with rate and ETA whose state is in the ledger too."""

    def __init__(self, ledger: Ledger, round_number: int, stage: str, total: int, unit: str) -> None:
        """Start the stage's bar and its row in the ledger."""
        self._ledger, self._round, self._stage = ledger, round_number, stage
        self._bar = tqdm(total=total, unit=unit, desc=f"round {round_number} {stage}", dynamic_ncols=True)
        self._started = self._recorded = time.monotonic()
        self._tokens = 0
        self._total = total
        ledger.start_stage(round_number, stage, total)

    def __enter__(self) -> StageProgress:
        """Use as a context manager so that the bar is closed."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bar."""
        self._bar.close()

    def reach(self, done: int) -> None:
        """Set the number of finished items."""
        self.advance(done - int(self._bar.n))

    def advance(self, items: int = 1, tokens: int = 0) -> None:
        """Count finished items, and the tokens generated for them."""
        self._tokens += tokens
        self._bar.update(items)
        now = time.monotonic()
        if now - self._recorded > LEDGER_INTERVAL_SECONDS:
            self._recorded = now
            self._ledger.advance(self._round, self._stage, int(self._bar.n), self._total)
            if self._tokens:
                self._bar.set_postfix_str(f"{self._tokens / (now - self._started):.0f} tokens/s")

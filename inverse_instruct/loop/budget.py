"""What one start of a run may take: time and tokens. Enters: what is spent so far. Leaves: `BudgetSpent`, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from inverse_instruct.config.sections import BudgetSection
from inverse_instruct.errors import BudgetSpent
from inverse_instruct.stages.room import Room


class Budget:
    """The budget of one start."""

    def __init__(self, section: BudgetSection) -> None:
        """Start the clock."""
        self._section = section
        self._began = time.monotonic()
        self._tokens = 0  # of the stages that are finished
        self._rooms: Sequence[Room] = ()

    def watch(self, rooms: Sequence[Room]) -> None:
        """Count what is spent in these rooms from now on, and what was spent in those before them."""
        self._tokens += self._in_rooms()
        self._rooms = rooms

    def check(self) -> None:
        """Let the start go on.

        Raises:
            BudgetSpent: it has taken what it may take.
        """
        hours, tokens = (time.monotonic() - self._began) / 3600, self._tokens + self._in_rooms()
        if self._section.hours is not None and hours >= self._section.hours:
            raise BudgetSpent(f"budget.hours: {hours:.2f} of {self._section.hours:g} hours are spent")
        if self._section.tokens is not None and tokens >= self._section.tokens:
            raise BudgetSpent(f"budget.tokens: {tokens:,} of {self._section.tokens:,} tokens are spent")

    def _in_rooms(self) -> int:
        kinds = sum((room.tokens for room in self._rooms), Counter())
        return kinds.total() - kinds["response"]  # these are among those that were trained on

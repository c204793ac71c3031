"""The example database: good and bad cases of each task, from which some are drawn to be shown.

Bounded: of each kind so many are kept, those with the least seeds, which is a fair sample of all that there ever were,
whatever came first; so it does not drift to what came last. Deduplicated: an instruction is in it once. Seeded: what is
drawn depends on what it is drawn for.
"""

from __future__ import annotations

import random
from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field

from inverse_instruct.stages.room import Room


@dataclass(frozen=True, order=True)
class Case:
    """A row that was judged."""

    rank: int  # drawn for its instruction
    instruction: str  # normalized
    text: str = field(compare=False)  # the row as it is shown, and for a bad one what is wrong with it


class Cases:
    """All good and bad cases so far."""

    def __init__(self, room: Room, size: int) -> None:
        """Begin with none.

        Args:
            room: draws the seeds.
            size: cases of one task, of one kind.
        """
        self._room, self._size = room, size
        self._kept: dict[tuple[str, bool], list[Case]] = defaultdict(list)

    def __len__(self) -> int:
        """Return how many there are in all."""
        return sum(map(len, self._kept.values()))

    def add(self, task: str, instruction: str, text: str, *, good: bool) -> None:
        """Take a case in, if its turn comes."""
        name = normalized(instruction)
        case = Case(self._room.seed("case", task, str(good), name), name, text)
        kept = self._kept[task, good]
        if all(other.instruction != name for other in kept):
            insort(kept, case)
            del kept[self._size :]

    def draw(self, task: str, count: int, *drawn_for: str | int, good: bool) -> list[str]:
        """Return the texts of some cases of a task, fewer where there are not so many."""
        kept = self._kept[task, good]
        generator = random.Random(self._room.seed("cases", *drawn_for, str(good)))
        return [case.text for case in generator.sample(kept, min(count, len(kept)))]


def normalized(text: str) -> str:
    """Return the words of a text in small letters."""
    return " ".join(text.lower().split())

"""Which snippets a round works on: all of them, or with `selection.per_snippet: fresh` those of its own part.

Parts follow from the ids alone, so more snippets, or more rounds, move none of them to another round.
"""

from __future__ import annotations

from collections.abc import Iterator

from inverse_instruct.records import Snippet, digest
from inverse_instruct.stages.room import Room

SECTIONS = ("per_snippet", "selection.parts")
"""What a stage that works on them declares."""


def snippets_of(room: Room) -> Iterator[Snippet]:
    """Yield the snippets that the room's round works on, in their order."""
    fresh, parts = room.section("per_snippet") == "fresh", room.section("selection.parts")
    for snippet in room.read("snippets"):
        if not fresh or part_of(snippet.id, parts) == room.place.round - 1:
            yield snippet


def count_snippets(room: Room) -> int:
    """Return how many these are."""
    return sum(1 for _ in snippets_of(room)) if room.section("per_snippet") == "fresh" else room.count("snippets")


def part_of(snippet_id: str, parts: int) -> int:
    """Return the 0-based part that a snippet belongs to; parts are about equal."""
    return int(digest("part", snippet_id), 16) % parts

"""What a row of a corpus and one that cannot be used are called, and which texts are damaged."""

from __future__ import annotations

import re

from inverse_instruct.records import Reason, Rejection, SourceRow, digest

STAGE = "preprocess"
_DAMAGE = re.compile("[\0\ud800-\udfff]")


def refuse_damage(text: str) -> None:
    """Return if a text holds nothing that no file of text should.

    Raises:
        ValueError: it holds a NUL character, or half a surrogate pair.
    """
    if damage := _DAMAGE.search(text):
        raise ValueError(f"holds {'a NUL character' if damage[0] == chr(0) else 'half a surrogate pair'}")


def source_row(name: str, line: int, instruction: str, response: str, language: str | None) -> SourceRow:
    """Return a row, whose id is that of its place and its words."""
    return SourceRow(digest(name, line, instruction, response), name, line, instruction, response, language)


def rejected(name: str, line: int, problem: str, reason: Reason = Reason.MALFORMED) -> Rejection:
    """Return why the row at a place is not read."""
    return Rejection(digest(name, line), STAGE, reason, f"{name}:{line}: {problem}")

"""How a row of a corpus, and one that cannot be used, are named."""

from __future__ import annotations

from inverse_instruct.records import Reason, Rejection, SourceRow, digest

STAGE = "preprocess"


def source_row(name: str, line: int, instruction: str, response: str, language: str | None) -> SourceRow:
    """Return a row, whose id is that of its place and its words."""
    return SourceRow(digest(name, line, instruction, response), name, line, instruction, response, language)


def rejected(name: str, line: int, problem: str, reason: Reason = Reason.MALFORMED) -> Rejection:
    """Return why the row at a place is not read."""
    return Rejection(digest(name, line), STAGE, reason, f"{name}:{line}: {problem}")

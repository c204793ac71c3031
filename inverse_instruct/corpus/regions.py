"""The piece of a file that a changed block is shown in: the smallest that stands alone before and after the change.

Enters: a file before and after, and the block. Leaves: the two texts of the piece, without the indentation that all of
its lines have. Preferred is the innermost definition around the block, then the outer ones, then the outermost
statements that the block touches, with their neighbors, last the whole file. Both sides parse, and neither is empty.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from inverse_instruct.config.editing import EditsSection
from inverse_instruct.corpus.edits import Block, Objection, objection
from inverse_instruct.records import Reason
from inverse_instruct.source_code.outline import Span
from inverse_instruct.source_code.parser_process import ParserFailed, outline


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file, before and after a change."""

    before: str
    after: str
    line: int  # of the file before the change on which it begins, from 1


def piece_of(
    before: list[str], after: list[str], block: Block, language: str, bounds: EditsSection
) -> Piece | Objection:
    """Return the piece of a file around a block, or what speaks against each."""
    try:
        spans = outline("\n".join(before) + "\n", language)
    except ParserFailed as error:
        return Reason.PARSER_FAILED, str(error)
    grown = block.after_end - block.before_end
    first_problem: Objection | None = None
    for first, end in _regions(spans, block, len(before)):
        sides = ("\n".join(before[first:end]), "\n".join(after[first : end + grown]))
        old, new = (textwrap.dedent(side).strip("\n") for side in sides)
        problem = objection(old, new, language, bounds)
        if problem is None:
            return Piece(old, new, first + 1)
        first_problem = first_problem or problem
    assert first_problem, "the whole file is a region"
    return first_problem


def _regions(spans: list[Span], block: Block, lines: int) -> Iterator[tuple[int, int]]:
    """Yield (first line, end) of pieces of the file before the change, the best first."""
    definitions = [span for span in reversed(spans) if span.is_definition]
    yield from ((span.first, span.last + 1) for span in definitions if _is_inside(block, span))
    before = [span.first for span in spans if span.last >= block.first - 1]
    after = [span.last + 1 for span in spans if span.first <= block.before_end]
    outermost = min(before, default=0), max(after, default=lines)
    if outermost[0] <= block.first and block.before_end <= outermost[1]:
        yield outermost
    yield 0, lines


def _is_inside(block: Block, span: Span) -> bool:
    """Tell whether a definition holds a block behind its first line, or with it."""
    is_insertion = block.first == block.before_end
    return span.first + is_insertion <= block.first and block.before_end <= span.last + 1

"""An edit of code as two texts: what it changes, how much, and what speaks against it.

Enters: code before and after. Leaves: the one block of lines that is changed, the edit ratio of the InstructCoder paper
(`n_diff` lines are in one text alone, `r_diff` is their share of all lines), or a reason why it is no edit to learn
from. Not guaranteed: that the edit is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from inverse_instruct.config.editing import EditsSection
from inverse_instruct.corpus.code_tokens import without_comments
from inverse_instruct.records import Reason
from inverse_instruct.source_code.parser_process import ParserFailed, parses

MAX_BLOCK_LINES = 400  # a longer change is no block to learn from, and to align it takes long
CONTEXT_LINES = 3  # of a diff: changes that are nearer than twice as many lines are one block


@dataclass(frozen=True, slots=True)
class Block:
    """Lines `first` to `before_end` of the one text stand where `first` to `after_end` of the other do."""

    first: int  # from 0
    before_end: int  # exclusive
    after_end: int


Objection = tuple[Reason, str]


def one_block(before: list[str], after: list[str]) -> Block | Objection:
    """Return the one block of lines that differs, as a diff with its usual context shows it."""
    shorter = min(len(before), len(after))
    first = next((number for number in range(shorter) if before[number] != after[number]), shorter)
    last = next((n for n in range(shorter - first) if before[-1 - n] != after[-1 - n]), shorter - first)
    block = Block(first, len(before) - last, len(after) - last)
    old, new = before[first : block.before_end], after[first : block.after_end]
    if max(len(old), len(new)) > MAX_BLOCK_LINES:
        return Reason.TOO_LONG, f"changes {max(len(old), len(new))} lines"
    matches = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    if longest := max((match.size for match in matches if match.size > 2 * CONTEXT_LINES), default=0):
        return Reason.SEVERAL_BLOCKS, f"{longest} equal lines between two changes"
    return block


def edit_ratio(before: str, after: str) -> tuple[int, float]:
    """Return (n_diff, r_diff) over the lines that are not empty."""
    one, other = ({line.rstrip() for line in text.splitlines() if line.strip()} for text in (before, after))
    different, lines = len(one ^ other), len(one | other)
    return different, different / lines if lines else 0.0


def objection(before: str, after: str, language: str, bounds: EditsSection) -> Objection | None:
    """Return what speaks against an edit; None if nothing does."""
    for side, code in (("input", before), ("output", after)):
        if found := _side_objection(code, language, bounds):
            return found[0], f"{side}: {found[1]}" if found[1] else side
    if before.split() == after.split():
        return Reason.UNCHANGED, "the two sides differ in white space at most"
    different, ratio = edit_ratio(before, after)
    if different < bounds.min_changed_lines or not bounds.min_edit_ratio <= ratio <= bounds.max_edit_ratio:
        return Reason.EDIT_RATIO, f"{different} lines differ, {ratio:.2f} of all"
    return None


def _side_objection(code: str, language: str, bounds: EditsSection) -> Objection | None:
    if not code.strip():
        return Reason.EMPTY, ""
    lines = code.count("\n") + 1
    if lines > bounds.max_lines or len(code) > bounds.max_characters:
        return Reason.TOO_LONG, f"{lines} lines, {len(code)} characters"
    if not without_comments(code).strip():
        return Reason.NO_CODE, "comments alone"
    try:
        return None if parses(code, language) else (Reason.SYNTAX_ERROR, f"does not parse as {language}")
    except ParserFailed as error:
        return Reason.PARSER_FAILED, str(error)

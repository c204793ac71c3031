"""A model's reply as code before and after an edit.

Enters: a reply with the marks "Input:" and "Output:", each at the beginning of a line. Leaves: the two sides without
fences, and the prose around them. A mark inside a fence is part of the code; where several could divide the sides, the
first does that leaves code on both of them which parses. Not guaranteed: that the sides are an edit; `edits.py` tells.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.fences import find_blocks, first_block
from inverse_instruct.corpus.edits import Objection
from inverse_instruct.corpus.refusals import refusal_in
from inverse_instruct.records import Reason
from inverse_instruct.source_code.parser_process import ParserFailed, parses

_MARK = r"^(?:#{{1,6}} +)?(?:\*\*)?{name}(?: code)?(?:\*\*)?:(?:\*\*)?[ \t]*(?=\n|`|~|$)"
_INPUT = re.compile(_MARK.format(name="Input"), re.MULTILINE)
_OUTPUT = re.compile(_MARK.format(name="Output"), re.MULTILINE)
_NEXT = re.compile(r"^(?:#{1,6} +)?(?:\*\*)?(?:Situation|Task|Scenario|Input|Explanation|Note)(?:\*\*)?:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EditReply:
    """The two sides of a reply."""

    before: str
    after: str
    is_whole: bool  # whether the end of the second side is marked, by the end of a fence


def read_edit(reply: str, language: str) -> EditReply | Objection:
    """Return the sides of a reply, or why it has none."""
    text = reply.replace("\r\n", "\n")
    begin = next(_outside(_INPUT, text), None)
    splits = list(_outside(_OUTPUT, text[begin.end() :])) if begin else []
    if begin is None or not splits:
        words = refusal_in(text)
        return (
            (Reason.REFUSAL, words) if words else (Reason.BAD_REPLY, f"no mark of {'an output' if begin else 'code'}")
        )
    rest = text[begin.end() :]
    readings = [
        (_side(rest[: split.start()], language, last=False), _side(rest[split.end() :], language, last=True))
        for split in splits
    ]
    (before, _, above), (after, is_whole, below) = next(
        (sides for sides in readings if all(_parses(side[0], language) for side in sides)), readings[0]
    )
    if words := refusal_in(f"{text[: begin.start()]}\n{above}\n{below}"):
        return Reason.REFUSAL, words
    return EditReply(before, after, is_whole)


def _outside(mark: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield where a mark stands outside of fences."""
    blocks = find_blocks(text)
    for found in mark.finditer(text):
        if not any(block.start < found.start() < block.end for block in blocks):
            yield found


def _side(text: str, language: str, *, last: bool) -> tuple[str, bool, str]:
    """Return the code of a side, whether its end is marked, and what prose stands around it."""
    block = first_block(text)
    if block is not None:
        code = textwrap.dedent(block.text) if block.indent else block.text
        return _bare(code), block.closed, text
    heads = [_bare(text[: after.start()]) for after in _NEXT.finditer(text)] if last else []
    head = next((head for head in heads if _parses(head, language)), None)  # else the mark stands within the code
    return head or _bare(text), head is not None or not last, ""


def _bare(code: str) -> str:
    return code.strip("\n").rstrip()


def _parses(code: str, language: str) -> bool:
    try:
        return bool(code.strip()) and parses(code, language)
    except ParserFailed:
        return False

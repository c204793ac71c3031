"""A reasoning model's thought, told apart from its answer.

Enters: a reply, with the marks that models put around what they think before they answer, as in `<think>...</think>`.
Leaves: the reply without its thoughts, and whether the last of them ends. A reply that only closes a thought is one
whose prompt had opened it. A mark opens a thought where it begins a line; marks inside a code block of the answer are
code.
Not guaranteed: that a model uses a mark we know.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.fences import Block, find_blocks

_TAG = r"think|thinking|thoughts?|reasoning|reflection|scratchpad|inner_thoughts|antThinking|seed:think"
_MARKS = [
    *((rf"<\s*{name}(?:\s[^<>\n]*)?>", rf"<\s*/\s*{name}\s*>") for name in _TAG.split("|")),
    (r"\[(?:THINK|think)\]", r"\[/(?:THINK|think)\]"),
    (r"<\|(?:begin_of_thought|START_THINKING)\|>", r"<\|(?:end_of_thought|END_THINKING)\|>"),
    (r"◁think▷", r"◁/think▷"),
    (r"<unused94>", r"<unused95>"),
    (r"<\|channel\|>(?:analysis|commentary)<\|message\|>", r"<\|channel\|>final<\|message\|>"),
    (r"\Aanalysis(?=[A-Z])", r"assistantfinal"),  # the same where its control tokens were left out
]
"""How thoughts begin and end, in the conventions of the models that we know of."""
_COMPILED = [(re.compile(opening), re.compile(closing)) for opening, closing in _MARKS]
_ANY_OPENING = re.compile("|".join(f"(?P<mark{number}>{opening})" for number, (opening, _) in enumerate(_MARKS)))
_IN_ALL_MARKS = (
    "hink", "HINK", "hought", "reasoning", "reflection", "scratchpad", "<unused9", "<|channel|>", "analysis",
    "assistantfinal",
)  # fmt: skip
"""One of these is in every mark: few texts have any, and looking for them takes a hundredth of the time."""
_QUOTES = ("`", "'", '"')
_FENCE = "```"
_MOST_THOUGHTS = 20


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reply without its thoughts."""

    answer: str
    thought_ends: bool
    """False: the reply ends within a thought, so there may be no answer at all."""


def without_thoughts(reply: str) -> Spoken:
    """Take the thoughts out of a reply with Unix line ends."""
    if not any(part in reply for part in _IN_ALL_MARKS):
        return Spoken(reply, True)
    rest = reply[_end_of_opened_before(reply) :]
    kept: list[str] = []
    for _ in range(_MOST_THOUGHTS):
        opening = _first_opening(rest)
        if opening is None:
            break
        kept.append(rest[: opening.start()])
        end = _end_of_thought(rest, opening)
        if end is None:
            return Spoken("".join(kept), False)
        rest = rest[end:]
    return Spoken("".join([*kept, rest]), True)


def _first_opening(text: str) -> re.Match[str] | None:
    blocks = find_blocks(text) if _ANY_OPENING.search(text) else []
    marks = (mark for mark in _ANY_OPENING.finditer(text) if _begins_a_line(mark))
    return next((mark for mark in marks if not _is_quoted(mark, blocks)), None)


def _begins_a_line(mark: re.Match[str]) -> bool:
    return not mark.string[mark.string.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip()


def _end_of_thought(text: str, opening: re.Match[str]) -> int | None:
    """Return where the thought that begins with `opening` ends; thoughts may hold others of their kind."""
    first, last = _COMPILED[int((opening.lastgroup or "").removeprefix("mark"))]
    depth, position = 1, opening.end()
    while depth:
        closing = next((mark for mark in last.finditer(text, position) if not _is_quoted(mark)), None)
        if closing is None:
            return None
        depth += len(first.findall(text, position, closing.start())) - 1
        position = closing.end()
    return position


def _end_of_opened_before(text: str) -> int:
    """Return where a thought ends that the prompt had opened; 0 where there is none."""
    ends = [0]
    for opening, closing in _COMPILED:
        if closing.search(text):
            closed = [block for block in find_blocks(text) if block.closed]
            mark = next((mark for mark in closing.finditer(text) if not _is_quoted(mark, closed)), None)
            if mark and not opening.search(text, 0, mark.start()):
                ends.append(mark.end())
    return max(ends)


def _is_quoted(mark: re.Match[str], blocks: Sequence[Block] = ()) -> bool:
    """Tell whether a mark is spoken of, or part of code, rather than used."""
    before, after = mark.string[: mark.start()], mark.string[mark.end() :]
    if before.endswith(_QUOTES) and not before.endswith(_FENCE):
        return True
    if after.startswith(_QUOTES) and not after.startswith(_FENCE):
        return True
    return any(block.start <= mark.start() < block.end for block in blocks)

"""Replies with headings, read strictly: each heading once, at the start of a line, in order, and nothing before.

Enters: a model's reply. Leaves: heading -> text, or an `Unfit` that says what is wrong. A heading within a fenced block
is content. Not guaranteed: that what stands under a heading makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.fences import Block, find_blocks
from inverse_instruct.records import Reason
from inverse_instruct.source_code.fence_labels import fence_language

NOTHING = {"", "none", "n/a", "na", "nothing", "null", "-"}
_FENCE_LINE = re.compile(r"[^\n]*")
_SENTENCE_END = re.compile(r"(?<![.\s]\w)[.!?]['\")\]]?\s+(?=[^\sa-z])")  # not after `e.g.` or before a small letter


class Unfit(Exception):
    """A reply, or what it holds, is not what was asked for."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Say why.

        Args:
            reason: as it is counted.
            detail: for a person.
        """
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Parts:
    """The text under a heading, taken apart."""

    prose: str  # what stands outside of blocks
    blocks: list[Block]


def read_form(text: str, headings: Sequence[str]) -> dict[str, str]:
    """Return what stands under each heading, without the space around it.

    Raises:
        Unfit: a heading is missing, stands twice or elsewhere, or something stands before the first.
    """
    text = text.replace("\r\n", "\n")
    found = _headings(text, headings)
    names = [name for name, _, _ in found]
    if names != list(headings):
        raise Unfit(Reason.BAD_FORM, f"has the keys {', '.join(names) or 'of nothing'}, not {', '.join(headings)}")
    if before := text[: found[0][1]].strip():
        raise Unfit(Reason.BAD_FORM, f"begins with {before[:80]!r}")
    ends = [start for _, start, _ in found[1:]] + [len(text)]
    return {name: text[start:end].strip() for (name, _, start), end in zip(found, ends, strict=True)}


def _headings(text: str, headings: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the headings outside of blocks, with where each begins and ends."""
    names = {name.lower(): name for name in headings}
    mark = r"[#* \t]*"
    line = re.compile(rf"^{mark}({'|'.join(map(re.escape, headings))}){mark}:\**", re.MULTILINE | re.IGNORECASE)
    blocks = find_blocks(text)
    return [
        (names[match[1].lower()], match.start(), match.end())
        for match in line.finditer(text)
        if not any(block.start < match.start() < block.end for block in blocks)
    ]


def take_apart(text: str) -> Parts:
    """Return the prose and the blocks of what stands under a heading.

    Raises:
        Unfit: a block is not closed.
    """
    blocks, prose, place = find_blocks(text), [], 0
    for block in blocks:
        if not block.closed:
            raise Unfit(Reason.BAD_FORM, "has a block of code that is not closed")
        prose.append(text[place : block.start])
        line = _FENCE_LINE.match(text, block.end)
        place = line.end() if line else block.end
    return Parts("\n".join([*prose, text[place:]]).strip(), blocks)


def code_of(parts: Parts, language: str, what: str) -> str:
    """Return the code of a text that is one block in a language and nothing else.

    Raises:
        Unfit: it is something else.
    """
    if len(parts.blocks) != 1:
        raise Unfit(Reason.BAD_FORM, f"the {what} has {len(parts.blocks)} blocks of code, not one")
    block = parts.blocks[0]
    label = fence_language(block.label) if block.label else language
    if label != language:
        raise Unfit(Reason.BAD_FORM, f"the {what} is in {block.label}, not in {language}")
    if not block.text.strip():
        raise Unfit(Reason.EMPTY, f"the {what} has no code")
    return block.text.rstrip("\n")


def block_of(code: str, language: str) -> str:
    """Return code as a block, whose fence is longer than any within."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", code))])
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def is_nothing(text: str) -> bool:
    """Tell whether a text says that there is none."""
    return text.strip(" .*_`'\"").lower() in NOTHING


def sentences(text: str) -> int:
    """Return how many sentences a text has; each line has one at least."""
    return sum(1 + len(_SENTENCE_END.findall(line)) for line in map(str.strip, text.splitlines()) if line)

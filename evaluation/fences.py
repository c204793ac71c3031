"""The code blocks of a Markdown text, such as a model's reply.

Enters: any text. Leaves: the content of each fenced block, its indentation kept; a block that is not closed ends with
the text, or where the next one opens. Fences may follow text on their line. What is indented further than its block's
fence, such as a fence within a docstring, is content.
Not guaranteed: that a block holds code.
"""

import re
import textwrap
from dataclasses import dataclass

_FENCE = re.compile(
    r"^(?:(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*+(?P<info>[^`\n]*)"
    r"|(?P<text>[^`\n]*[^`\s][ \t]*)(?P<later>`{3,})(?P<name>[\w+#.-]*)[ \t]*)$",
    re.MULTILINE,
)
_LABEL = re.compile(r"[\w.{]")
_INDENT_ALLOWED = 3
"""How much further than its opening fence a closing one may be indented, as in CommonMark."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    text: str
    """Its content as it stands."""
    closed: bool
    """Its own fence ends it; else it was cut off, or the fence was forgotten."""
    indent: str
    """The white space before its fence, as within a list."""
    label: str
    """What follows the opening fence on its line."""
    start: int
    """Where its opening fence begins in the text."""
    end: int
    """Where its content ends."""


def find_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a text with Unix line ends, in order."""
    found: list[Block] = []
    opening: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opening is None:
            opening = match
        elif _ends(opening, match):
            opens_next = bool(_LABEL.match(match["info"] or ""))
            found.append(_block(text, opening, match.end("text") if match["later"] else match.start(), not opens_next))
            opening = match if opens_next else None
    if opening is not None:
        found.append(_block(text, opening, len(text), False))
    return found


def first_block(text: str) -> Block | None:
    """Return the first fenced block of a text with Unix line ends, read to the letter; None where there is no fence.

    Only a fence of its own kind and without a label ends it, however far that is indented.
    """
    opening = _FENCE.search(text)
    if opening is None:
        return None
    for match in _FENCE.finditer(text, opening.end()):
        if match["mark"] and not match["info"].strip(" \t") and _is_as_long(opening, match):
            return _block(text, opening, match.start(), True)
    return _block(text, opening, len(text), False)


def code_blocks(text: str) -> list[str]:
    """Return the content of the fenced blocks, in order; of a block within a list, without the list's indentation."""
    blocks = find_blocks(text.replace("\r\n", "\n"))
    return [textwrap.dedent(block.text) if block.indent else block.text for block in blocks]


def _ends(opening: re.Match[str], match: re.Match[str]) -> bool:
    """Tell whether a fence ends the block of another."""
    if not _is_as_long(opening, match):
        return False
    if match["later"]:
        return not match["name"]
    allowed = len((opening["indent"] or "").expandtabs()) + _INDENT_ALLOWED
    return len(match["indent"].expandtabs()) <= allowed


def _is_as_long(opening: re.Match[str], match: re.Match[str]) -> bool:
    """Tell whether a fence has the marks of another, and as many."""
    first, mark = (found["mark"] or found["later"] for found in (opening, match))
    return mark[0] == first[0] and len(mark) >= len(first)


def _block(text: str, opening: re.Match[str], end: int, closed: bool) -> Block:
    start = min(opening.end() + 1, end)
    fence = opening.start("later" if opening["later"] else "mark")
    label = (opening["info"] or opening["name"] or "").strip()
    return Block(text[start:end], closed, opening["indent"] or "", label, fence, end)

"""The pages of the documentation, read as far as their tests need it: fenced blocks with their marks, links, headings.

A mark is an HTML comment on the last line before a block that is not empty: `<!-- not run: WHY -->` before shell lines
that the tests only parse, `<!-- file: NAME -->` before what is to be written into a file of the folder in which the
page's commands are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.system.root import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
SHELL = ("bash", "sh", "shell", "console")
MARKS = ("not run", "file")
_MARK = re.compile(r"<!--\s*(.*?)\s*-->$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*(\w*)")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    """Number of the first line in the fence."""
    language: str
    lines: tuple[str, ...]
    mark: str = ""
    """What kind of mark stands before it; "" for none."""
    said: str = ""
    """What the mark says."""

    @property
    def end(self) -> int:
        """Number of the line of the closing fence."""
        return self.line + len(self.lines)

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands."""
        return self.language in SHELL


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page.

    Raises:
        ValueError: a fence is not closed, or a mark is none of ours; with file and line.
    """
    fence, mark, said = "", "", ""
    language, first = "", 0
    held: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and not opened[2]:
                yield Block(page, first, language, tuple(held), mark, said)
                fence, mark, said = "", "", ""
            else:
                held.append(line)
        elif opened:
            fence, language, first, held = opened[1], opened[2], number + 1, []
        elif found := _MARK.match(line.strip()):
            mark, _, said = found[1].partition(": ")
            if mark not in MARKS or len(said) < 3:
                raise ValueError(f"{page.relative_to(ROOT)}:{number}: {line!r} is no mark that says something")
        elif line.strip():
            mark, said = "", ""
    if fence:
        raise ValueError(f"{page.relative_to(ROOT)}:{first}: the block is not closed")


def prose_of(page: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines outside fenced blocks."""
    inside = {number for block in blocks_of(page) for number in range(block.line - 1, block.end + 1)}
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if number not in inside:
            yield number, line


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them; the site makes the same ones of our headings."""
    anchors: set[str] = set()
    for _, line in prose_of(page):
        if heading := re.match(r"#{1,6} +(.+)", line):
            words = re.sub(r"[^\w\- ]", "", heading[1].lower()).strip()
            anchors.add(words.replace(" ", "-"))
    return anchors

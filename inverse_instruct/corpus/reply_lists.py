"""The items of a list in a model's reply.

Enters: a reply. Leaves: its items in order: what stands behind a number or a dash, or between quotes on a line of its
own. Where the reply has numbered items, only these count. Fenced code and other lines are no items. Not guaranteed:
items that go on over several lines; of these the first counts.
"""

from __future__ import annotations

import re

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_NUMBERED = re.compile(r"^\s{0,3}(?:\*\*)?\(?\d{1,3}\s?[.):](?:\*\*)?\s*(.*\S)\s*$")
_BULLET = re.compile(r"^\s{0,3}[-*•]\s+(.*\S)\s*$")
_QUOTED = re.compile(r"^\s*([\"“'`])(.*)[\"”'`]\s*[,.]?\s*$")
_QUOTES = {'"': '"', "“": "”", "'": "'", "`": "`"}
_BOLD = re.compile(r"^\*\*(.+)\*\*$")


def list_items(reply: str) -> list[str]:
    """Return the items of a reply; empty if it has none."""
    lines = _FENCED.sub("\n", reply).splitlines()
    numbered = [found[1] for line in lines if (found := _NUMBERED.match(line))]
    marked = numbered or [found[1] for line in lines if (found := _BULLET.match(line))]
    items = marked or [line.strip() for line in lines if _QUOTED.match(line)]
    return [item for item in map(_bare, items) if item]


def _bare(item: str) -> str:
    """Return an item without the quotes or stars around it."""
    if bold := _BOLD.match(item):
        item = bold[1].strip()
    if (quoted := _QUOTED.match(item)) and item.rstrip(" ,.").endswith(_QUOTES[quoted[1]]):
        item = quoted[2].strip()
    return item

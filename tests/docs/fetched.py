"""What the pages of a site would fetch from other servers while they are read: `python -m tests.docs.fetched SITE`.

Enters: the folder of a built site. Leaves: a line for each address in its pages and styles that a browser asks for by
itself; links that a reader may follow are none. Scripts are not looked into. Needs nothing but Python, as the tools
that build the site have nothing else of ours.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ELSEWHERE = re.compile(r"\s*(?:https?:|wss?:)?//", re.IGNORECASE)
NOT_FETCHED = {"canonical", "next", "prev", "alternate", "author", "license"}
ADDRESSES = ("href", "src", "srcset", "poster", "data", "action")
STYLES = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """Collects the addresses of a page that are fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes of an element."""
        self._in_style = tag == "style"
        given = {name: value or "" for name, value in attrs}
        self.fetched += styled(given.get("style", ""))
        if tag == "a" or (tag == "link" and set(given.get("rel", "").split()) <= NOT_FETCHED):
            return
        self.fetched += [given[name] for name in ADDRESSES if ELSEWHERE.match(given.get(name, ""))]

    def handle_data(self, data: str) -> None:
        """Look at styles in the page."""
        if self._in_style:
            self.fetched += styled(data)


def styled(text: str) -> list[str]:
    """Return the addresses elsewhere of a style sheet."""
    return [address for found in STYLES.findall(text) for address in found if ELSEWHERE.match(address)]


def fetched(site: Path) -> Iterator[str]:
    """Yield `FILE: ADDRESS` for all that the files of a site fetch from elsewhere."""
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = Page()
            page.feed(path.read_text(encoding="utf-8"))
            found = page.fetched
        elif path.suffix in (".css", ".svg"):
            found = styled(path.read_text(encoding="utf-8"))
        else:
            continue
        for address in found:
            yield f"{path.relative_to(site)}: {address}"


if __name__ == "__main__":
    lines = list(fetched(Path(sys.argv[1])))
    for line in lines:
        print(f"error: {line} would be fetched by whoever reads the page", file=sys.stderr)
    sys.exit(bool(lines))

"""Links of the README and the docs lead to files that are there, and to headings that these have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inverse_instruct.system.root import ROOT
from tests.docs.pages import PAGES, anchors_of, blocks_of, prose_of

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:configs|docs|launch|tests)/[\w./-]+\.\w+)`")


def problems_of(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere, as `FILE:LINE: LINK`, and files that it names and are not there."""
    found = []
    for number, line in prose_of(page):
        text = re.sub(r"(`+)(?!`).+?\1", "", line)
        for link in LINK.findall(text):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if "://" in link:
                continue
            there = target.exists() and (target.suffix != ".md" or not anchor or anchor in anchors_of(target))
            if not there:
                found.append(f"{page.name}:{number}: {link}")
        found += [f"{page.name}:{number}: {name}" for name in NAMED.findall(line) if not (ROOT / name).exists()]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert problems_of(page) == []


@pytest.mark.parametrize("page", [page for page in PAGES if ROOT / "docs" in page.parents], ids=lambda page: page.name)
def test_pages_of_the_site_link_to_pages_of_the_site(page: Path) -> None:
    links = [link for _, line in prose_of(page) for link in LINK.findall(line) if "://" not in link]
    outside = [link for link in links if ROOT / "docs" not in (page.parent / link).resolve().parents]
    assert outside == [], "the site holds docs/ alone"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("See [there](other.md).", []),
        ("See [there](other.md#the-second-one).", []),
        ("See [above](#top).", []),
        ("See [paper](https://example.org/nothing) and `[no](link.md)`.", []),
        ("See [there](nothing.md).", ["page.md:3: nothing.md"]),
        ("![picture](nothing.png)", ["page.md:3: nothing.png"]),
        ("See [there](other.md#the-third-one).", ["page.md:3: other.md#the-third-one"]),
        ("See `docs/nothing.md`.", ["page.md:3: docs/nothing.md"]),
    ],
)
def test_a_link_to_nowhere_is_told(tmp_path: Path, line: str, told: list[str]) -> None:
    (tmp_path / "page.md").write_text(f"# Top\n\n{line}\n\n```\n[not](read.md)\n```\n")
    (tmp_path / "other.md").write_text("# Other\n\n## The *second* `one`!\n")
    assert problems_of(tmp_path / "page.md") == told


@pytest.mark.parametrize("text", ["```bash\nls\n", "<!-- not run: -->\n```bash\nls\n```\n", "<!-- why: not -->\n"])
def test_a_page_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(f"# Top\n\n{text}")
    with pytest.raises(ValueError, match=r"page.md:\d"):
        list(blocks_of(tmp_path / "page.md"))

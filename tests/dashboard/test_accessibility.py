"""The pages for people who do not look, or have no mouse: names, headings, tables, contrast, and the focus.

What is looked at is what a browser made of the page: every part of it unfolded, by day and by night.
"""

from __future__ import annotations

from typing import Any

import pytest

from .made_run import Open

expect = pytest.importorskip("playwright.sync_api").expect
PAGES = {  # what is looked at -> where it is, and what is there once it is drawn
    "run": ("", "#rows-list .row"),
    "problems": ("problems", "#problems-table tbody tr"),
    "problem": ("problems#problem?suite=mini&task=Mini/1&round=0&round=2", ".answers"),
    "compare": ("compare", "#measures-table tbody"),
}
LOOK = r"""() => {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const shown = (node) => node.checkVisibility() && node.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const about = (node) => node.outerHTML.slice(0, 120);
  const found = [];
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => found.push(`two elements have the id ${id}`));
  for (const node of all("[aria-labelledby], [aria-describedby]")) {
    for (const name of ["aria-labelledby", "aria-describedby"]) {
      const id = node.getAttribute(name);
      if (id && !document.getElementById(id)) found.push(`${about(node)} is named by nothing`);
    }
  }
  for (const node of all("a, button, input, select, textarea, summary, [role=img], [tabindex='0']")) {
    const named = document.getElementById(node.getAttribute("aria-labelledby"));
    const words = [node.getAttribute("aria-label"), named?.textContent, node.labels?.[0]?.textContent,
      node.matches("a, button, summary") && node.textContent];
    if (!words.some((text) => text && text.trim())) found.push(`${about(node)} has no name`);
    if (node.matches("[tabindex='0']") && !node.matches("[role], ol, ul")) found.push(`${about(node)} has no role`);
  }
  const levels = all("h1, h2, h3, h4, h5, h6").map((node) => Number(node.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1 || levels[0] !== 1) found.push("there is not one h1 first");
  levels.forEach((level, at) => {
    if (at && level > levels[at - 1] + 1) found.push(`h${level} after h${levels[at - 1]}`);
  });
  for (const table of all("table")) {
    if (!table.querySelector("thead th[scope=col]")) found.push(`${about(table)} has no heads`);
    for (const row of table.querySelectorAll("tbody tr")) {
      if (!row.querySelector("th[scope=row], th[scope=rowgroup]")) found.push(`${about(row)} has no head`);
    }
    const empty = [...table.querySelectorAll("th")].filter((head) => !head.textContent.trim());
    if (empty.length) found.push(`${about(table)} has an empty head`);
  }
  for (const node of all("*")) {
    const way = getComputedStyle(node).overflowX + getComputedStyle(node).overflowY;
    const more = node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1;
    const reached = node === document.documentElement || node.tabIndex >= 0 || node.querySelector("a, button, input");
    if (/auto|scroll/.test(way) && more && !reached) {
      found.push(`${about(node)} can only be scrolled with a mouse`);
    }
  }
  const parts = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([...rgb]) => rgb.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    const color = parts(getComputedStyle(node).backgroundColor);
    return color.length < 4 || color[3] > 0 || !node.parentElement ? color : ground(node.parentElement);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(node) || node.closest("svg, :disabled, option")) continue;
    const [dark, bright] = [parts(getComputedStyle(node).color), ground(node)].map(luminance).sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < 4.5) found.push(`${about(node)} has a contrast of ${contrast.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@pytest.fixture(params=PAGES)
def looked_at(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_drawn(open_page: Open, addresses: dict[str, str], name: str, **options: Any) -> Any:
    link, sign = PAGES[name]
    page = open_page(addresses["live"] + link, **options)
    expect(page.locator(sign).first).to_be_visible()
    return page


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_nothing_is_without_name_order_or_contrast(
    open_page: Open, addresses: dict[str, str], looked_at: str, scheme: str
) -> None:
    page = open_drawn(open_page, addresses, looked_at, color_scheme=scheme, viewport={"width": 390, "height": 800})
    assert page.evaluate(LOOK) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    heads = "[...document.querySelectorAll('tbody th')].filter(n => n.checkVisibility()).map(n => n.clientWidth)"
    assert all(width > 60 for width in page.evaluate(heads))  # room for a word


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("document.querySelector('h2').replaceWith(document.createElement('h4'))", "h4 after h1"),
        (
            "document.querySelector('#problems-show').labels[0].replaceWith(document.querySelector('#problems-show'))",
            "no name",
        ),
        ("document.querySelector('.chip').style.color = '#9a9a9a'", "has a contrast of"),
        ("document.querySelector('thead').remove()", "has no heads"),
        ("document.querySelector('.scroll').removeAttribute('role')", "has no role"),
        ("document.querySelector('.lead').id = 'list'", "two elements have the id list"),
    ],
)
def test_the_check_sees_what_is_wrong(open_page: Open, addresses: dict[str, str], change: str, complaint: str) -> None:
    page = open_drawn(open_page, addresses, "problems")
    page.evaluate(f"() => {{ {change}; }}")
    if "h4" in change:
        page.evaluate("document.querySelector('h4').textContent = 'Problems'")
    assert any(complaint in found for found in page.evaluate(LOOK))


def test_the_focus_goes_through_a_page_and_is_seen(open_page: Open, addresses: dict[str, str], looked_at: str) -> None:
    page = open_drawn(open_page, addresses, looked_at)
    reached: list[str] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        outline = "(({ outlineStyle, outlineWidth }) => [outlineStyle, parseFloat(outlineWidth)])"
        style, width = page.evaluate(f"{outline}(getComputedStyle(document.activeElement))")
        place = page.evaluate("document.activeElement.outerHTML.slice(0, 100)")
        assert style != "none" and width >= 2, place
        reached.append(place)
    wanted = (
        "[...document.querySelectorAll('a, button:enabled, select, input, summary')].filter(n => n.checkVisibility())"
    )
    assert len(reached) >= page.evaluate(f"{wanted}.length")

"""Templates filled with values that may hold anything: no value can break out of its place in a Markdown page.

Enters: a template of this folder and plain values. Leaves: Markdown. Every value is escaped unless it went through one
of the filters `code`, `codes` and `fence`, which make code spans or a fenced block of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
NOT_STATED = "not stated"


def render(template: str, values: dict[str, Any]) -> str:
    """Return the page of a template of this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=_finalize,
    )
    environment.filters |= {"code": code, "codes": codes, "fence": fence}
    return environment.get_template(template).render(values)


def escape(text: str) -> Markup:
    """Return text that Markdown shows as it is, on one line: no markup, no HTML, no table cell ends in it."""
    line = re.sub(r"\s+", " ", text)
    return Markup(re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", html.escape(line, quote=False)))


def code(text: str) -> Markup:
    """Return a code span, also inside a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    ticks = _longer_than_inside(line, 1)
    space = " " if "`" in line else ""
    return Markup(f"{ticks}{space}{line}{space}{ticks}")


def codes(texts: Iterable[str]) -> Markup:
    """Return code spans with commas between them."""
    return Markup(", ").join(map(code, texts))


def fence(text: str, language: str) -> Markup:
    """Return a fenced block that the text cannot close."""
    ticks = _longer_than_inside(text, 3)
    return Markup(f"{ticks}{language}\n{text}\n{ticks}")


def _longer_than_inside(text: str, least: int) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1 if longest >= least else least)


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Markup) else escape(str(value))

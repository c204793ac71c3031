"""Ways to write one and the same right program, and ways to say it: each gives a reply that passes as it stands.

A program form takes a program that defines an entry point and returns one that defines it otherwise, at the mercy of
something at its top level. A reply form takes a whole program and returns a reply around it. Most are in the two text
files beside this one.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

Form = Callable[[str, str], str]
"""Of a program and the name of its entry point."""

NEEDS_TABLE = "def F(*args):\n    if TABLE[3] != 9: raise ValueError\n    return IMPL(*args)\n"
LINES = range(90)


def _sections(name: str) -> dict[str, str]:
    _, *sections = Path(__file__).with_name(name).read_text(encoding="utf-8").split("#### ")
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}


def _by_means_of(text: str) -> Form:
    """A form that puts, after the program under another name, a text that makes F of IMPL."""

    def form(program: str, entry_point: str) -> str:
        named = re.sub(r"\bF\b", entry_point, text.replace("IMPL", f"{entry_point}_impl"))
        return re.sub(rf"\b{re.escape(entry_point)}\b", f"{entry_point}_impl", program).rstrip() + "\n\n\n" + named

    return form


def _under(opening: str, closing: str = "") -> Form:
    """A form in which the whole program stands under a compound statement."""

    def form(program: str, entry_point: str) -> str:
        code = re.sub(r'"""(?:.|\n)*?"""', '"""Do it."""', program)  # lines of a text are not to be indented
        return f"{opening}\n{textwrap.indent(code.strip(), '    ')}\n{closing}\n"

    return form


def _said(text: str) -> Form:
    """A reply with CODE in it, indented as CODE is, and F for the entry point."""

    def form(program: str, entry_point: str) -> str:
        before, indent, after = re.split(r"^([ \t]*)CODE", re.sub(r"\bF\b", entry_point, text), flags=re.MULTILINE)
        return before + textwrap.indent(program.strip("\n"), indent) + after

    return form


PROGRAM_FORMS: dict[str, Form] = {
    "as it is": lambda program, entry_point: program,
    "a future import": lambda program, entry_point: f'"""A."""\nfrom __future__ import annotations\n{program}',
    "__all__": lambda program, entry_point: f"__all__ = ['{entry_point}']\n{program}",
    "under try": _under("try:", "except ImportError:\n    pass"),
    "under if": _under("import sys\nif sys.version_info >= (3, 8):", "else:\n    raise SystemExit"),
    "under with": _under("import contextlib\nwith contextlib.suppress(ValueError):"),
    "under for": _under("for _ in range(1):"),
    "under while": _under("while True:", "    break"),
    "under match": _under("match 1:\n  case 1:"),
    "a table of many lines": _by_means_of(
        "TABLE = {\n" + "".join(f"{i}: {i * i},\n" for i in LINES) + "}\n" + NEEDS_TABLE
    ),
    "a text of many lines": _by_means_of('TABLE = """' + "9\n" * 90 + '""".split()\nTABLE[3] = 9\n' + NEEDS_TABLE),
    "a long if": _by_means_of(
        "N = 3\nif N < 0:\n    TABLE = None\n"
        + "".join(f"elif N == {i}:\n    TABLE = [0, 1, 4, {i * i}]\n" for i in LINES)
        + NEEDS_TABLE
    ),
    "many helpers": _by_means_of(
        "def h0(n):\n    return n\n"
        + "".join(f"def h{i + 1}(n):\n    return h{i}(n)\n" for i in LINES)
        + "TABLE = {3: h90(9)}\n"
        + NEEDS_TABLE
    ),
    **{name: _by_means_of(text) for name, text in _sections("program_forms.txt").items()},
}

REPLY_FORMS: dict[str, Form] = {
    "windows line ends": lambda program, entry_point: f"```python\n{program}```\n".replace("\n", "\r\n"),
    "old line ends": lambda program, entry_point: program.replace("\n", "\r"),
    "a byte order mark": lambda program, entry_point: "\ufeff" + program,
    "half a surrogate pair": lambda program, entry_point: f"# \ud800\n{program}",
    "tabs": lambda program, entry_point: re.sub(
        "^(?:    )+", lambda found: "\t" * (len(found[0]) // 4), program, flags=re.MULTILINE
    ),
    **{name: _said(text) for name, text in _sections("reply_forms.txt").items()},
}

"""The programming languages we know: their fence names, file extensions and grammars.

Enter: the name of a file, or code in a known language. Leave: one of the keys of `LANGUAGES`, or whether the code
parses. Not guaranteed: that code which parses compiles or runs; the grammars are lenient (Python 2 `print` parses as
Python). What fences and rows call a language is read in `fence_labels.py`.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from evaluation.grammars import parser_of

if TYPE_CHECKING:
    from tree_sitter import Tree

LANGUAGES: dict[str, tuple[str, ...]] = {
    "bash": ("bash", "sh", "shell", "zsh", "ksh", "shellscript"),
    "c": ("c", "h"),
    "cpp": ("cpp", "c++", "cxx", "cc", "hpp", "hh", "hxx", "cplusplus", "g++"),
    "csharp": ("csharp", "c#", "cs"),
    "go": ("go", "golang"),
    "java": ("java",),
    "javascript": (
        "javascript",
        "js",
        "jsx",
        "node",
        "nodejs",
        "mjs",
        "cjs",
        "es",
        "ecmascript",
        "esnext",
        "javascriptreact",
    ),
    "php": ("php", "html+php", "phtml"),
    "python": ("python", "py", "ipython", "cpython", "pypy", "pyi"),
    "ruby": ("ruby", "rb"),
    "rust": ("rust", "rs"),
    "swift": ("swift",),
    "typescript": ("typescript", "ts", "tsx", "mts", "cts", "typescriptreact"),
}
"""Language -> the names that a fence may give it, versions left out."""

BY_NAME = {name: language for language, names in LANGUAGES.items() for name in names}
"""Name -> language; the names are those of fences, and the extensions of files."""

_GRAMMARS = {"php": ("php_only",), "typescript": ("typescript", "tsx")}
"""Language -> its grammars, tried in turn, where it is not that of its name. PHP in HTML has another, see `parse`."""


_BEYOND_LATIN_1 = re.compile(r"[^\x00-\xff]")
_AS_LONG = {1: "?", 2: "é", 3: "éx", 4: "éé"}
"""Bytes of a character -> letters of as many bytes."""


def language_of_file(path: PurePath) -> str | None:
    """Return the language of a source file by its extension, or None if it is not one of ours."""
    return BY_NAME.get(path.suffix[1:].lower()) if path.suffix else None


def parse(code: str, language: str) -> Tree:
    """Return the syntax tree of the code, by the first grammar of the language that finds no error, else the last."""
    data = (_for_bash(code) if language == "bash" else code).encode("utf-8", "replace") + b"\n"  # for Go
    grammars = ("php",) if language == "php" and "<?" in code else _GRAMMARS.get(language, (language,))
    for grammar in grammars:
        tree = parser_of(grammar).parse(data)
        if not tree.root_node.has_error:
            break
    return tree


def _for_bash(code: str) -> str:
    """Return code with Latin letters, in as many bytes, for all characters beyond Latin-1.

    The grammar's scanner looks them up in C's tables of 256 letters: what lies behind these decides, or it crashes. A
    shell takes all of them for letters. The text of a node is not that of the code then; its place is.
    """
    return _BEYOND_LATIN_1.sub(lambda found: _AS_LONG[len(found[0].encode("utf-8", "replace"))], code)


def parses(code: str, language: str) -> bool:
    """Tell whether the code parses in the language with no erroneous and no missing node."""
    return not parse(code, language).root_node.has_error

"""The tree-sitter grammars that code is parsed with, by name: the one table for the examiner and for corpora.

Enters: the name of a grammar. Leaves: its parser, loaded on first use, so importing this module is cheap. Not
guaranteed: that code which parses is right; the grammars are lenient.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Parser

_GRAMMARS = {
    "bash": "tree_sitter_bash:language",
    "c": "tree_sitter_c:language",
    "cpp": "tree_sitter_cpp:language",
    "csharp": "tree_sitter_c_sharp:language",
    "go": "tree_sitter_go:language",
    "java": "tree_sitter_java:language",
    "javascript": "tree_sitter_javascript:language",
    "php": "tree_sitter_php:language_php",  # with HTML around it
    "php_only": "tree_sitter_php:language_php_only",
    "python": "tree_sitter_python:language",
    "ruby": "tree_sitter_ruby:language",
    "rust": "tree_sitter_rust:language",
    "swift": "tree_sitter_swift:language",
    "tsx": "tree_sitter_typescript:language_tsx",
    "typescript": "tree_sitter_typescript:language_typescript",
}
"""Name -> module and function."""


@cache
def parser_of(grammar: str) -> Parser:
    """Return the parser of a grammar.

    Raises:
        KeyError: there is none of this name.
    """
    from tree_sitter import Language, Parser

    module, function = _GRAMMARS[grammar].split(":")
    return Parser(Language(getattr(importlib.import_module(module), function)()))

"""Text to the syntax tree of a Python program, for programs of others, in any thread.

Enters: a text. Leaves: its tree, or one of the errors that say that it is no program.
"""

from __future__ import annotations

import ast
import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

NO_PROGRAM = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `read_tree` raises for a text that is no program, or none that the parser can hold."""

_one_at_a_time = threading.Lock()


def read_tree(text: str) -> ast.Module:
    """Return the syntax tree of a program.

    The parser counts its depth for the whole process (CPython's issue 106905), and is left in the middle where the
    collection of garbage runs a finalizer: another thread that parses then, be it to print a traceback, breaks it. So
    nothing is collected meanwhile. Warnings, of which a model's program may give many, are nobody's concern.

    Raises:
        Exception: one of `NO_PROGRAM`.
    """
    with _one_at_a_time, _no_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def tree_or_nothing(text: str) -> ast.Module:
    """Return the syntax tree of a program; an empty one for a text that is none."""
    try:
        return read_tree(text)
    except NO_PROGRAM:
        return ast.Module([], [])


def text_of(node: ast.AST) -> str:
    """Return the text of a part of a program; "" for one that is nested too deeply to be written."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""Text to the syntax tree of a Python program, for programs of others, in any thread.

Enters: a text. Leaves: its tree, or one of the errors that say that it is no program.
"""

from __future__ import annotations

import ast
import threading
import warnings

NO_PROGRAM = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `read_tree` raises for a text that is no program, or none that the parser can hold."""

_one_at_a_time = threading.Lock()


def read_tree(text: str) -> ast.Module:
    """Return the syntax tree of a program.

    The parser counts its depth for the whole process (CPython's issue 106905): two threads that parse at once break it.
    Warnings, of which a model's program may give many, are nobody's concern.

    Raises:
        Exception: one of `NO_PROGRAM`.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)

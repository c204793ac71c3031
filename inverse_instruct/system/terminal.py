"""What may be printed on a terminal: text of others can hold what a terminal would obey."""

from __future__ import annotations


def printable(text: str, kept: str = "\t") -> str:
    """Return a text with what a terminal would obey written out, as Python writes it.

    Args:
        text: of anybody.
        kept: characters that stay as they are, though they are not printable.
    """
    return "".join(char if char.isprintable() or char in kept else repr(char)[1:-1] for char in text)

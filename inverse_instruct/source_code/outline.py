"""Where the definitions and the outermost statements of a file begin and end: methods and inner functions too.

Enters: code, and its language. Leaves: spans of whole lines. Runs where the parser runs.
"""

from __future__ import annotations

from typing import NamedTuple

from inverse_instruct.source_code.languages import parse
from inverse_instruct.source_code.source_files import DEFINITIONS

_METHODS = {"method_declaration", "method_definition", "constructor_declaration", "function_definition"}


class Span(NamedTuple):
    """Lines of a file, both ends included, from 0."""

    first: int
    last: int
    is_definition: bool  # a function, method, class or type; else an outermost statement


def outline(code: str, language: str) -> list[Span]:
    """Return the spans of a file: outer definitions before inner ones, else in order.

    A decorator belongs to what it decorates.
    """
    kinds = DEFINITIONS[language] | _METHODS
    spans = []
    waiting = [(node, True) for node in reversed(parse(code, language).root_node.named_children)]
    while waiting:
        node, outermost = waiting.pop()
        defines = node.type in kinds and (node.parent is None or node.parent.type != "decorated_definition")
        if defines or outermost:
            last = node.end_point.row - (node.end_point.column == 0 and node.end_point.row > node.start_point.row)
            spans.append(Span(node.start_point.row, last, defines))
        waiting.extend((child, False) for child in reversed(node.named_children))
    return spans

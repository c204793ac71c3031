"""Whether code that parses in a language reads like it: other languages parse in it too, and so do data and prose.

Enters: code, and the language it may be in. Leaves: what speaks against it. Runs where the parser runs, since it looks
at the syntax tree. Not guaranteed: that code to which nothing is objected is in the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from inverse_instruct.source_code.foreign_marks import foreign_language
from inverse_instruct.source_code.language_marks import COMMANDS
from inverse_instruct.source_code.languages import parse

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

DOES_NOT_PARSE = "does not parse"
_OF_SHELLS_ALONE = {"if_statement", "for_statement", "c_style_for_statement", "while_statement", "case_statement"}
_TEXT = re.compile(r"string|comment|heredoc|regex|jsx_text|^text$")


def objection(code: str, language: str) -> str:
    """Return what speaks against code being in the language, such as `looks like lua`; "" if nothing does."""
    tree = parse(code, language)
    if tree.root_node.has_error:
        return DOES_NOT_PARSE
    if language == "bash" and not code.startswith("#!") and not _calls_known_commands(tree.root_node):
        return "calls no commands that we know"
    foreign = foreign_language(_bare(tree, code), language)
    return f"looks like {foreign}" if foreign else ""


def _bare(tree: Tree, code: str) -> str:
    """Return the code with empty strings and without comments: what stands in them may be of any language."""
    from tree_sitter import QueryCursor

    data = code.encode("utf-8", "replace")
    texts = QueryCursor(_query(tree.language)).captures(tree.root_node).get("text", [])
    pieces, end = [], 0
    for node in sorted(texts, key=lambda node: node.start_byte):
        if node.start_byte >= end:  # else it is inside the one before
            pieces.append(data[end : node.start_byte] + (b"" if "comment" in node.type else b'""'))
            end = node.end_byte
    return b"".join([*pieces, data[end:]]).decode("utf-8", "replace")


@cache
def _query(grammar: Language) -> Query:
    """Return the query for the strings and comments of a grammar."""
    from tree_sitter import Query

    kinds = {
        name
        for kind in range(grammar.node_kind_count)
        if grammar.node_kind_is_named(kind)
        and grammar.node_kind_is_visible(kind)
        and (name := grammar.node_kind_for_id(kind))
        and _TEXT.search(name)
    }
    return Query(grammar, f"[{' '.join(f'({kind})' for kind in sorted(kinds))}] @text")


def _calls_known_commands(root: Node) -> bool:
    """Tell whether more than half of a script's commands are known, are its own functions, or are paths.

    One with `fi`, `done` or `esac` is a script whatever it calls.
    """
    nodes = list(_nodes(root))
    if _OF_SHELLS_ALONE & {node.type for node in nodes}:
        return True
    own = {_name(node) for node in nodes if node.type == "function_definition"}
    names = [_text(node) for node in nodes if node.type == "command_name"]
    known = [name for name in names if name in COMMANDS or name in own or re.match(r"\$[\w{]|[\"'~]|[^:]*[/.]\w", name)]
    return not names or 2 * len(known) > len(names)


def _nodes(root: Node) -> Iterator[Node]:
    """Yield the nodes in order, without those inside strings."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if "string" not in node.type:
            waiting.extend(reversed(node.children))


def _name(node: Node) -> str:
    name = node.child_by_field_name("name")
    return _text(name) if name else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")

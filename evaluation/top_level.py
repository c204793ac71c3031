"""Finds the top-level statements in text that is partly Python and partly prose, and the names they bind and use.

Enters: any text. Leaves: definitions, imports and assignments at column 0 that parse without an error.
Not guaranteed: scoping as exact as the compiler's; a name bound anywhere inside a definition counts as its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_python
from tree_sitter import Language, Node, Parser

# Bounds on the search, so that hostile text costs little time.
_LONGEST_SPAN = 50
"""How many lines at column 0 one statement may hold."""
_MOST_LINES_CUT = 50
_MOST_ATTEMPTS = 400
"""How many pieces that are no statement are parsed before the rest of the text counts as prose."""

_START = re.compile(
    r"(?:async\s+def|def|class|import|from|if|try)\b|@\w"
    r"|[A-Za-z_][\w.]*(?:\[[^\n]*?\])?(?:\s*,\s*[A-Za-z_]\w*)*\s*(?::[^=\n]+)?[-+*/|&]?=(?!=)"
)
_CONTINUES = re.compile(r"[\s#)\]}]|(?:else|elif|except|finally)\b|$")
_DEFINITIONS = ("function_definition", "class_definition")
_IMPORTS = ("import_statement", "import_from_statement", "future_import_statement")
_PATTERNS = ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern")
_BINDING_FIELDS = {
    "assignment": "left",
    "augmented_assignment": "left",
    "for_statement": "left",
    "for_in_clause": "left",
    "named_expression": "name",
    "function_definition": "name",
    "class_definition": "name",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement."""

    text: str
    binds: frozenset[str]
    uses: frozenset[str]
    defines: bool
    """A function, a class or an assignment, rather than an import or a conditional import."""
    hollow: bool
    """A function whose body only documents or postpones it."""
    always_needed: bool
    """A future or star import, whose use cannot be told from names."""


def find_statements(text: str) -> list[Statement]:
    """Return the parsable top-level definitions, imports and assignments of `text`, in order."""
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if not _CONTINUES.match(line)]
    starts.append(len(lines))
    found: list[Statement] = []
    attempts = position = 0
    while position < len(starts) - 1 and attempts < _MOST_ATTEMPTS:
        following = position + 1
        if _START.match(lines[starts[position]]):
            for piece, end in _pieces(lines, starts, position):
                statement = _parse(piece)
                if statement is not None:
                    found.append(statement)
                    following = end
                    break
                attempts += 1
        position = following
    return found


def _pieces(lines: list[str], starts: list[int], position: int) -> Iterator[tuple[str, int]]:
    """Yield ever longer pieces that begin at `position`, then the shortest one with its last lines cut off.

    With each piece comes the position after it.
    """
    first = starts[position]
    for end in range(position + 1, min(position + 1 + _LONGEST_SPAN, len(starts))):
        yield "".join(lines[first : starts[end]]), end
    last = starts[position + 1]
    for cut in range(last - 1, max(first, last - 1 - _MOST_LINES_CUT), -1):
        yield "".join(lines[first:cut]), position + 1


def _parse(text: str) -> Statement | None:
    root = _parser().parse(text.encode("utf-8", "surrogatepass")).root_node
    nodes = [node for node in root.named_children if node.type != "comment"]
    if root.has_error or len(nodes) != 1:
        return None
    node = nodes[0]
    if node.type == "expression_statement" and node.named_children:
        node = node.named_children[0]
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    if inner is None:
        return None
    uses = frozenset(_used_names(node))
    binds = frozenset(_bound_names(inner))
    if inner.type in _DEFINITIONS:
        name = frozenset(_target_names(inner.child_by_field_name("name")))
        return Statement(text, name, uses - binds, True, _is_hollow(inner), False)
    if inner.type in ("assignment", "augmented_assignment"):
        return Statement(text, binds or frozenset(_base_name(inner)), uses, True, False, False)
    if inner.type in _IMPORTS:
        always = inner.type == "future_import_statement" or any(
            child.type == "wildcard_import" for child in inner.named_children
        )
        return Statement(text, binds, frozenset(), False, False, always)
    if inner.type in ("if_statement", "try_statement") and binds and "__name__" not in uses:
        return Statement(text, binds, uses - binds, False, False, False)
    return None


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_python.language()))


def _walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(current.named_children)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")


def _used_names(node: Node) -> Iterator[str]:
    for current in _walk(node):
        if current.type != "identifier" or current.parent is None:
            continue
        parent = current.parent
        if parent.type == "attribute" and parent.child_by_field_name("attribute") == current:
            continue
        if parent.type == "keyword_argument" and parent.child_by_field_name("name") == current:
            continue
        yield _text(current)


def _bound_names(node: Node) -> set[str]:
    """Return the names bound anywhere inside, without those declared to be global."""
    declared = {
        _text(name) for current in _walk(node) if current.type == "global_statement" for name in current.named_children
    }
    return set(_bindings(node)) - declared


def _bindings(node: Node) -> Iterator[str]:
    for current in _walk(node):
        field = _BINDING_FIELDS.get(current.type)
        if field is not None:
            yield from _target_names(current.child_by_field_name(field))
        elif current.type in ("parameters", "lambda_parameters"):
            yield from _parameter_names(current)
        elif current.type == "as_pattern_target":
            yield from (_text(child) for child in _walk(current) if child.type == "identifier")
        elif current.type in _IMPORTS:
            yield from _imported_names(current)


def _target_names(target: Node | None) -> Iterator[str]:
    if target is None:
        return
    if target.type == "identifier":
        yield _text(target)
    elif target.type in _PATTERNS:
        for child in target.named_children:
            yield from _target_names(child)


def _parameter_names(parameters: Node) -> Iterator[str]:
    for parameter in parameters.named_children:
        name = parameter.child_by_field_name("name") or parameter
        while name.type not in ("identifier", "comment") and name.named_children:
            name = name.named_children[0]
        yield _text(name)


def _imported_names(statement: Node) -> Iterator[str]:
    for name in statement.children_by_field_name("name"):
        alias = name.child_by_field_name("alias")
        yield _text(alias) if alias is not None else _text(name).partition(".")[0]


def _base_name(assignment: Node) -> Iterator[str]:
    """Yield the name whose item or attribute is assigned to, as in ``table[0] = 1``."""
    target = assignment.child_by_field_name("left")
    while target is not None and target.type in ("subscript", "attribute"):
        target = target.child_by_field_name("value") or target.child_by_field_name("object")
    yield from _target_names(target)


def _is_hollow(definition: Node) -> bool:
    body = definition.child_by_field_name("body")
    if definition.type != "function_definition" or body is None:
        return False
    return all(_does_nothing(statement) for statement in body.named_children)


def _does_nothing(statement: Node) -> bool:
    if statement.type == "expression_statement":
        return all(child.type in ("string", "concatenated_string", "ellipsis") for child in statement.named_children)
    return statement.type in ("pass_statement", "comment") or "NotImplementedError" in _text(statement)[:40]

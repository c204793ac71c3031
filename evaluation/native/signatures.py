"""The function that tests call, as its trusted declaration gives it: name, parameters, result.

Enters: a head, the start of a program up to and including the opening brace of its last function. Leaves: that
function's signature, and the head with another body in its place. Everything else that the head defines stays.
Not guaranteed: signatures that no benchmark has, such as functions that take functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from evaluation.errors import BenchmarkError
from evaluation.native.definitions import close, find_last_function
from evaluation.native.sources import edit, name_of, parse, text_of, walk

_RESULTS = {"rust": "return_type", "go": "result"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function."""

    name: str
    type: str
    """As in the source; empty where the language has none."""
    label: str = ""
    """In Swift, what a caller writes before the value, with its colon."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What the tests call."""

    name: str
    parameters: tuple[Parameter, ...]
    result: str
    """The type, as in the source; empty where the language has none."""


def signature_of(language: str, head: str) -> Signature:
    """Return the signature of the head's last function.

    Raises:
        BenchmarkError: there is none.
    """
    node, name = _last_function(language, head)
    function = _function_part(language, node)
    result = text_of(function.child_by_field_name(_RESULTS.get(language, "type")))
    listed = function.child_by_field_name("parameters")
    nodes = listed.named_children if listed else []
    if language == "cpp":
        declarator = _declarator(node)
        nodes = [part for child in declarator.children_by_field_name("parameters") for part in child.named_children]
        result = text_of(node).encode()[: declarator.start_byte - node.start_byte].decode()
    if language == "swift":
        nodes = [child for child in function.children if child.type == "parameter"]
        result = _swift_result(function)
    return Signature(name, tuple(_parameters(language, nodes)), result.strip())


def with_body(language: str, head: str, body: str, parameters: str = "") -> str:
    """Return the head with a whole body, and other parameters, for its last function; a Java class is left open.

    Raises:
        BenchmarkError: there is no function.
    """
    node, _ = _last_function(language, head)
    function = _function_part(language, node)
    old = function.child_by_field_name("body")
    if old is None:
        raise BenchmarkError(f"the declaration has no function with a body: {head.strip()[-80:]!r}")
    listed = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    edits = [(old.start_byte, len(close(language, head).encode("utf-8", "surrogatepass")), f"{body}\n")]
    if parameters and listed:
        edits.append((listed.start_byte, listed.end_byte, parameters))
    return edit(close(language, head), edits)


def definitions_of(language: str, text: str, kinds: Sequence[str]) -> Iterator[Node]:
    """Yield the definitions of some kinds anywhere in a text."""
    return (node for node in walk(parse(language, text)) if node.type in kinds)


def _last_function(language: str, head: str) -> tuple[Node, str]:
    found = find_last_function(language, parse(language, close(language, head)))
    if found is None:
        raise BenchmarkError(f"the declaration ends in no function: {head.strip()[-80:]!r}")
    return found


def _function_part(language: str, node: Node) -> Node:
    """Return the node that has parameters and body: in JavaScript it may be the value of a constant."""
    if node.child_by_field_name("body") or language != "javascript":
        return node
    return next((part for part in walk(node) if part.child_by_field_name("body")), node)


def _declarator(node: Node) -> Node:
    return next((part for part in walk(node) if part.type == "function_declarator"), node)


def _parameters(language: str, nodes: Sequence[Node]) -> Iterator[Parameter]:
    for node in nodes:
        kind = text_of(node.child_by_field_name("type"))
        if language == "cpp":
            yield _cpp_parameter(node)
        elif language == "go":
            yield from (Parameter(text_of(name), kind) for name in node.children_by_field_name("name"))
        elif language == "swift":
            yield _swift_parameter(node)
        elif language == "rust":
            yield Parameter(text_of(node.child_by_field_name("pattern")), kind)
        elif node.type not in ("line_comment", "block_comment", "comment"):
            yield Parameter(name_of(node), kind)


def _cpp_parameter(node: Node) -> Parameter:
    names = [part for part in walk(node) if part.type == "identifier"]
    if not names:
        return Parameter("", text_of(node))
    name = names[-1]
    start = node.start_byte
    kind = edit(text_of(node), [(name.start_byte - start, name.end_byte - start, "")])
    return Parameter(text_of(name), kind.strip())


def _swift_parameter(node: Node) -> Parameter:
    name, kind = node.children_by_field_name("name")[:2]
    label = text_of(node.child_by_field_name("external_name") or name)
    return Parameter(text_of(name), text_of(kind), "" if label == "_" else f"{label}: ")


def _swift_result(function: Node) -> str:
    arrows = [child for child in function.children if child.type == "->"]
    return text_of(arrows[0].next_named_sibling) if arrows else "Void"

"""The class that a Java reply has around its entry point, under the name that the tests call it by.

Enters: the tree of a reply and the definition of the entry point in it. Leaves: source text.
Not guaranteed: that the text compiles.
"""

import re
from collections.abc import Mapping, Sequence

from tree_sitter import Node

from evaluation.native.definitions import TYPES, Definition, define
from evaluation.native.names import words_of
from evaluation.native.reach import without_repeats
from evaluation.native.sources import edit, name_of, parse, text_of, walk

_NO_MEMBERS = ("class_body", "line_comment", "block_comment", "import_declaration", "package_declaration")
_MAIN = re.compile(r"\bvoid\s+main\s*\(")
_TYPE_BODIES = ("class_body", "enum_body_declarations", "record_body")


def java_program(root: Node, entry: Node, head: str, given: Sequence[Definition], others: Sequence[Node]) -> list[str]:
    """Return the head's class with what the reply has around the entry point, and the types and imports beside it.

    Where the class lost something and has its own name in the reply, the reply's text follows.
    """
    body = entry.parent if entry.parent is not None and entry.parent.type in _TYPE_BODIES else root
    opening = re.search(r"^(?:public\s+)?class\s+(\w+)\s*\{", head, re.MULTILINE)
    own_class = opening[1] if opening else "Solution"
    holder = body.parent if body is not root else None
    members = without_repeats(_members(body, name_of(holder) if holder else ""))
    if body is root:
        members = [item for item in members if item.kind != "ERROR"]
    names = {name for item in members for name in item.names}
    kept = [item for item in given if item.kind != "import_declaration" and not item.names & names and item.names]
    imports = [item.text for item in given if item.kind == "import_declaration"]
    tops = [node for top in (root, *others) for node in top.children]
    imports += [text_of(node) for node in tops if node.type == "import_declaration"]
    lines = [*dict.fromkeys(imports), f"class {own_class}{_extensions(holder)} {{"]
    types = _other_types(tops if holder else [node for node in tops if node not in root.children], entry, own_class)
    own = "\n".join([*lines, *(item.text for item in [*kept, *members]), "}"])
    text = "\n".join([own, *_without_mains(types, own)]) + "\n"
    if holder is None:
        return [text]
    is_own = holder in root.children and name_of(holder) == own_class
    texts = {item.text for item in members}
    lost = any(node.is_named and node.type not in _NO_MEMBERS and text_of(node) not in texts for node in body.children)
    return [_renamed(text, name_of(holder), own_class), *([text_of(root)] if is_own and lost else [])]


def _members(body: Node, own_class: str) -> list[Definition]:
    """Return the members of the entry point's class; constructors only where one takes nothing, as the tests need."""
    named = [node for node in body.children if node.is_named and node.type not in _NO_MEMBERS]
    nodes = [node for node in named if name_of(node) != "main"]
    makers = [node for node in nodes if node.type == "constructor_declaration"]
    parameters = [node.child_by_field_name("parameters") for node in makers if name_of(node) == own_class]
    if not any(listed is not None and not listed.named_children for listed in parameters):
        nodes = [node for node in nodes if node not in makers]
    return [define("java", node) for node in nodes]


def _extensions(holder: Node | None) -> str:
    """Return what stands between the name of a class and its body."""
    name, body = (holder.child_by_field_name(field) if holder else None for field in ("name", "body"))
    if holder is None or name is None or body is None or holder.type != "class_declaration":
        return ""
    content = (holder.text or b"")[name.end_byte - holder.start_byte : body.start_byte - holder.start_byte]
    return content.decode("utf-8", "replace").rstrip()


def _other_types(nodes: Sequence[Node], entry: Node, own_class: str) -> dict[str, str]:
    """Return the types of a reply beside the entry point's class."""
    types = {
        name_of(node): text_of(node)
        for node in reversed(nodes)
        if node.type in TYPES and not _holds(node, entry) and name_of(node) != own_class
    }
    return {name: re.sub(r"^(?:public|private|protected)\s+", "", types[name]) for name in reversed(types)}


def _without_mains(types: Mapping[str, str], program: str) -> list[str]:
    """Leave out the types with a main method, unless the program names them."""
    return [text for name, text in types.items() if name in words_of(program) or not _MAIN.search(text)]


def _renamed(text: str, name: str, own_class: str) -> str:
    """Return the text with a class under its new name wherever it is meant."""
    if name == own_class:
        return text
    meant = [
        node
        for node in walk(parse("java", text))
        if node.type == "type_identifier" or (node.type == "identifier" and _names_a_class(node))
    ]
    return edit(text, [(node.start_byte, node.end_byte, own_class) for node in meant if text_of(node) == name])


def _names_a_class(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    position = next(number for number, child in enumerate(parent.children) if child == node)
    field = parent.field_name_for_child(position)
    return (parent.type, field) in {
        ("constructor_declaration", "name"),
        ("method_invocation", "object"),
        ("field_access", "object"),
        ("method_reference", None),
    }


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte

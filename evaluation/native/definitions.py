"""Finds the definitions of a program at its top level (in Java: of a class), in any of the languages.

Enters: syntax trees, also of text that is only partly a program. Leaves: the definitions, with the names they give.
Not guaranteed: scoping as exact as a compiler's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tree_sitter import Node

from evaluation.native.sources import name_of, parse, text_of, walk

FUNCTIONS = {
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "function_item",
    "method_declaration",
    "template_declaration",
}
VALUES = {
    "declaration",
    "lexical_declaration",
    "variable_declaration",
    "var_declaration",
    "const_declaration",
    "const_item",
    "static_item",
    "property_declaration",
    "expression_statement",
}
TYPES = {
    "alias_declaration",
    "class_declaration",
    "class_specifier",
    "enum_declaration",
    "enum_item",
    "enum_specifier",
    "impl_item",
    "interface_declaration",
    "mod_item",
    "protocol_declaration",
    "record_declaration",
    "struct_item",
    "struct_specifier",
    "trait_declaration",
    "trait_item",
    "type_declaration",
    "type_definition",
    "type_item",
    "typealias_declaration",
    "union_specifier",
}
ALWAYS_KEPT = {
    "extern_crate_declaration",
    "import_declaration",
    "import_statement",
    "inner_attribute_item",
    "macro_definition",
    "namespace_definition",
    "namespace_use_declaration",
    "php_tag",
    "preproc_call",
    "preproc_def",
    "preproc_function_def",
    "preproc_if",
    "preproc_ifdef",
    "preproc_include",
    "use_declaration",
    "using_declaration",
}
_NAMED_INSIDE = {
    "variable_declarator",
    "init_declarator",
    "type_spec",
    "const_spec",
    "var_spec",
    "const_element",
    "function_declarator",
    "class_specifier",
    "struct_specifier",
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One piece of a program at its top level, or a member of a Java class."""

    kind: str
    names: frozenset[str]
    parameters: str
    text: str
    broken: bool
    """The parser met an error in it."""

    @property
    def has_body(self) -> bool:
        """Whether it is a function, or a value that is one."""
        return self.kind in FUNCTIONS or "=>" in self.text or "function" in self.text or "lambda" in self.text


def entry_of(language: str, head: str) -> str:
    """Return the name of the function that the head ends in; empty where there is none."""
    nodes = _members_or_top(language, parse(language, close(language, head)))
    found = [name for node in nodes if node.type in FUNCTIONS | VALUES for name in define(language, node).names]
    return found[-1] if found else ""


def defined_names(language: str, head: str) -> frozenset[str]:
    """Return the names that a head defines, imports, macros and `main` not counted."""
    items = find_definitions(language, parse(language, close(language, head)))
    return frozenset(name for item in items if item.kind not in ALWAYS_KEPT for name in item.names) - {"main"}


def close(language: str, head: str) -> str:
    """Return the head as a program that parses, its last function empty."""
    return head + closings(language)[-1]


def closings(language: str) -> Sequence[str]:
    """Return what may have to be added to a program that was cut off at the end of its last function."""
    return ("", "\n}", "\n}\n}") if language == "java" else ("", "\n}")


def find_entries(language: str, root: Node, entry_point: str, *, strict: bool) -> Iterator[Node]:
    """Yield definitions of the entry point, those at the top level first."""
    for node in chain(root.children, walk(root)):
        if node.type in FUNCTIONS or node.type in VALUES:
            item = define(language, unwrap(node))
            if entry_point in item.names and item.has_body and not (strict and item.broken):
                yield node


def find_definitions(language: str, root: Node) -> list[Definition]:
    """Return the parts of a program, with Rust's attributes before what they belong to."""
    items: list[Definition] = []
    attributes = ""
    for node in _members_or_top(language, root):
        if node.type == "attribute_item":
            attributes += text_of(node) + "\n"
            continue
        if node.type in FUNCTIONS | VALUES | TYPES | ALWAYS_KEPT:
            items.append(define(language, node, attributes))
        attributes = ""
    return items


def _members_or_top(language: str, root: Node) -> list[Node]:
    """Return the top level's nodes; of Java's head, which is one open class, the members of the class."""
    if language != "java":
        return [unwrap(node) for node in root.children]
    members: list[Node] = []
    for node in root.children:
        body = node.child_by_field_name("body") if node.type == "class_declaration" else None
        members += body.children if body else [node]
    return members


def unwrap(node: Node) -> Node:
    """Return what an `export` exports."""
    return (node.child_by_field_name("declaration") or node) if node.type == "export_statement" else node


def define(language: str, node: Node, attributes: str = "") -> Definition:
    """Return what a node defines; `attributes` are put before its text."""
    inner = node
    if node.type == "template_declaration":
        inner = next((child for child in node.children if child.type in FUNCTIONS | TYPES | VALUES), node)
    if language == "cpp" and inner.type == "function_definition":
        inner = next((part for part in walk(inner) if part.type == "function_declarator"), inner)
    ending = ";" if node.next_sibling is not None and node.next_sibling.type == ";" else ""
    parameters = text_of(inner.child_by_field_name("parameters"))
    return Definition(node.type, _names(inner), parameters, f"{attributes}{text_of(node)}{ending}", node.has_error)


def _names(node: Node) -> frozenset[str]:
    if node.type in ("class_specifier", "function_declaration", "class_declaration", "property_declaration"):
        return frozenset({name_of(node)})
    direct = node.child_by_field_name("name") or (
        node.child_by_field_name("type") if node.type == "impl_item" else node.child_by_field_name("declarator")
    )
    inside = [child for child in node.children if child.type in _NAMED_INSIDE]
    if node.type == "expression_statement":  # a PHP global, or a method that JavaScript adds to a built-in
        left = node.children[0].child_by_field_name("left") if node.children else None
        return frozenset({text_of(left).lstrip("$")} if left else ())
    names = {text_of(part.child_by_field_name("name") or part.child_by_field_name("declarator")) for part in inside}
    if direct is not None and direct.type not in _NAMED_INSIDE:
        names.add(text_of(direct))
    return frozenset(name.partition("(")[0].strip("*& ") for name in names)


def is_example(item: Definition, entry_point: str) -> bool:
    """Tell a value that is computed by calling the entry point from one that the entry point may need."""
    return item.kind in VALUES and not item.has_body and bool(re.search(rf"\b{re.escape(entry_point)}\b", item.text))

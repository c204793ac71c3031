"""Finds the definitions of a program at its top level (in Java: of a class), in any of the languages.

Enters: syntax trees, also of text that is only partly a program. Leaves: the definitions, and the statements that run
before anything is called, with the names they give or change.
Not guaranteed: scoping as exact as a compiler's.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tree_sitter import Node

from evaluation.native.names import (
    STATEMENTS,
    assigned_names,
    called_names,
    changed_names,
    given_names,
    held_names,
    is_output,
    words_of,
)
from evaluation.native.sources import parse, text_of, walk

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
    "annotation_type_declaration",
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
    "union_item",
    "union_specifier",
}
ALWAYS_KEPT = {
    "concept_definition",
    "declare_statement",
    "extern_crate_declaration",
    "foreign_mod_item",
    "import_declaration",
    "import_statement",
    "inner_attribute_item",
    "linkage_specification",
    "macro_definition",
    "namespace_alias_definition",
    "namespace_definition",
    "namespace_use_declaration",
    "operator_declaration",
    "php_tag",
    "precedence_group_declaration",
    "preproc_call",
    "preproc_def",
    "preproc_function_def",
    "preproc_if",
    "preproc_ifdef",
    "preproc_include",
    "static_assert_declaration",
    "template_instantiation",
    "use_declaration",
    "using_declaration",
}

_MEANINGLESS = {
    "echo_statement",
    "empty_statement",
    "exit_statement",
    "expression_statement",
    "package_clause",
    "php_end_tag",
    "text",
    "text_interpolation",
}
_BLANK = frozenset({"_"})
_FUNCTIONS_ONLY = ("java", "php")
"""Languages in which a variable is not called as a function of its name is."""
_RUNNING_TOPS = ("javascript", "php", "swift")
"""Languages in which what stands at the top level runs in its order."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One piece of a program at its top level, or a member of a Java class."""

    kind: str
    names: frozenset[str]
    """What it gives."""
    parameters: str
    text: str
    broken: bool
    """The parser met an error in it."""
    calls: frozenset[str] = frozenset()
    """The functions that are called in it by a plain name."""
    changes: frozenset[str] = frozenset()
    """The names of what it may change when it runs."""
    assigns: frozenset[str] = frozenset()
    """Of these, the names to the left of an assignment, if that is all that a statement does."""
    holds: frozenset[str] = frozenset()
    """The names of what the value that it gives or assigns may be, or hold."""
    is_statement: bool = False
    """It runs where it stands, and gives no names."""
    starts: bool = False
    """It runs, or is used, though nothing mentions it by a name."""

    @property
    def has_body(self) -> bool:
        """Whether it is a function, or a value that is one."""
        return self.kind in FUNCTIONS or "=>" in self.text or "function" in self.text or "lambda" in self.text

    def defines(self, name: str) -> bool:
        """Tell whether it is a definition of a name."""
        return self.assigns == {name} if self.is_statement else name in self.names

    def mentions(self, names: Collection[str]) -> bool:
        """Tell whether one of some names is in its text."""
        return not words_of(self.text).isdisjoint(names)


def entry_of(language: str, head: str) -> str:
    """Return the name of the function that the head ends in; empty where there is none."""
    found = find_last_function(language, parse(language, close(language, head)))
    return found[1] if found else ""


def find_last_function(language: str, root: Node) -> tuple[Node, str] | None:
    """Return the last definition of a head that gives a name, with the name."""
    nodes = [node for node in _members_or_top(language, root) if node.type in FUNCTIONS | VALUES]
    found = [(node, name) for node in nodes for name in define(language, node).names]
    return found[-1] if found else None


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


def find_entries(
    language: str, root: Node, entry_point: str, *, strict: bool, as_value: bool = False
) -> Iterator[Node]:
    """Yield definitions of the entry point, those at the top level first.

    With `as_value` they are variables that get a function from elsewhere, as in `const f = compose(g, h)`.
    """
    for node in root.children if as_value else chain(root.children, walk(root)):
        if node.type not in FUNCTIONS | VALUES or f"{entry_point}".encode() not in (node.text or b""):
            continue
        if node.type == "method_declaration" and node.child_by_field_name("body") is None:
            continue
        item = define(language, unwrap(node))
        is_one = _is_given_a_value(language, node, item) if as_value else item.has_body
        if item.defines(entry_point) and is_one and not (strict and item.broken):
            yield node


def _is_given_a_value(language: str, node: Node, item: Definition) -> bool:
    """Tell whether a variable can be called by what it is set to where it is declared; an import has it elsewhere."""
    if language in _FUNCTIONS_ONLY or "require" in item.calls:
        return False
    return "=" in item.text and (language != "cpp" or any(part.type == "init_declarator" for part in walk(node)))


def find_definitions(language: str, root: Node) -> list[Definition]:
    """Return the parts of a program, with Rust's attributes before what they belong to."""
    kinds = _kinds(language)
    items: list[Definition] = []
    attributes = ""
    for node in _members_or_top(language, root):
        if node.type == "attribute_item":
            attributes += text_of(node) + "\n"
            continue
        if node.type in kinds and not (node.type in STATEMENTS and is_output(node)):
            items.append(define(language, node, attributes))
        attributes = ""
    return items


def holds_unknown(language: str, root: Node) -> bool:
    """Tell whether there is something at the top level that is neither a definition nor without a meaning."""
    nodes = (unwrap(node) for node in root.children if node.is_named and "comment" not in node.type)
    return any(node.type not in _kinds(language) | _MEANINGLESS for node in nodes)


def _kinds(language: str) -> set[str]:
    kinds = FUNCTIONS | VALUES | TYPES | ALWAYS_KEPT | {"macro_invocation"}
    return kinds | STATEMENTS if language in _RUNNING_TOPS else kinds


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
    runs = language in _RUNNING_TOPS
    is_statement = runs and node.type in STATEMENTS
    names = frozenset[str]() if is_statement else given_names(inner)
    listed = inner
    if language == "cpp" and inner.type == "function_definition":
        listed = next((part for part in walk(inner) if part.type == "function_declarator"), inner)
    ending = ";" if node.next_sibling is not None and node.next_sibling.type == ";" else ""
    return Definition(
        kind=node.type,
        names=names,
        parameters=text_of(listed.child_by_field_name("parameters")),
        text=f"{attributes}{text_of(node)}{ending}",
        broken=node.has_error,
        calls=called_names(node) if runs or node.type in VALUES else frozenset(),
        changes=changed_names(node) if runs else frozenset(),
        assigns=assigned_names(node) if is_statement else frozenset(),
        holds=held_names(node) if runs and node.type in VALUES | STATEMENTS else frozenset(),
        is_statement=is_statement,
        starts=not is_statement and (not names or _runs_by_itself(language, inner, names)),
    )


def _runs_by_itself(language: str, node: Node, names: frozenset[str]) -> bool:
    if language == "go":
        return (node.type, names) in {("function_declaration", frozenset({"init"})), ("var_declaration", _BLANK)}
    if language == "cpp" and node.type in TYPES:  # macros may give names, such as those of enumerators
        return node.has_error or any(part.type.startswith("preproc_") for part in walk(node))
    marks = (child for child in node.children if child.type in ("attribute_specifier", "attribute_declaration"))
    return language == "cpp" and any("constructor" in text_of(mark) for mark in marks)

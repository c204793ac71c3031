"""Takes the program out of a model's answer, for languages other than Python.

Enters: a reply (fenced, bare, chatty, cut off, or the mere rest of a function), the entry point, and the head: the
start of a program up to and including the opening brace of the entry point, which a reply may repeat or continue.
Leaves: source text with the entry point, what it needs of the reply, and the head's other definitions. Tests, examples
and main functions are dropped. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tree_sitter import Node

from evaluation.native.sources import name_of, parse, text_of, walk

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`{]*)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_FENCE_NAMES = {
    "cpp": ("cpp", "c++", "cxx", "cc", "c", "hpp"),
    "go": ("go", "golang"),
    "java": ("java",),
    "javascript": ("javascript", "js", "node", "nodejs", "jsx", "mjs"),
    "php": ("php",),
    "rust": ("rust", "rs"),
    "swift": ("swift",),
}
_FUNCTIONS = {
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "function_item",
    "method_declaration",
    "template_declaration",
}
_VALUES = {
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
_TYPES = {
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
_ALWAYS_KEPT = {
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
class _Definition:
    """One piece of a program at its top level, or a member of a Java class."""

    kind: str
    names: frozenset[str]
    parameters: str
    text: str
    broken: bool
    """The parser met an error in it."""

    @property
    def has_body(self) -> bool:
        return self.kind in _FUNCTIONS or "=>" in self.text or "function" in self.text or "lambda" in self.text


def extract_program(language: str, reply: str, entry_point: str, head: str) -> str:
    """Return the program in `reply` that defines `entry_point`; never raises."""
    reply = reply.replace("\r\n", "\n")
    blocks = [(match[2].lower(), match[3]) for match in _FENCED.finditer(reply)]
    own = [text for name, text in blocks if name in _FENCE_NAMES[language]] or [text for _, text in blocks]
    fenced = "\n".join(own)
    whole = [text + closing for text in [fenced if own else reply] for closing in _closings(language)]
    continued = [head + text + closing for text in (own or [reply]) for closing in _closings(language)]
    begins_inside = not own and reply.lstrip("\n")[:1].isspace()
    order = [*continued, *whole] if begins_inside else [*whole, *continued]
    for strict in (True, False):
        for text in order:
            program = _program(language, text, entry_point, head, strict=strict)
            if program:
                return program
    return fenced if own else head + reply


def entry_of(language: str, head: str) -> str:
    """Return the name of the function that the head ends in; empty where there is none."""
    nodes = _members_or_top(language, parse(language, _close(language, head)))
    found = [name for node in nodes if node.type in _FUNCTIONS | _VALUES for name in _define(language, node).names]
    return found[-1] if found else ""


def defined_names(language: str, head: str) -> frozenset[str]:
    """Return the names that a head defines, imports, macros and `main` not counted."""
    items = _definitions(language, parse(language, _close(language, head)))
    return frozenset(name for item in items if item.kind not in _ALWAYS_KEPT for name in item.names) - {"main"}


def _close(language: str, head: str) -> str:
    """Return the head as a program that parses, its last function empty."""
    return head + _closings(language)[-1]


def _closings(language: str) -> Sequence[str]:
    return ("", "\n}", "\n}\n}") if language == "java" else ("", "\n}")


def _program(language: str, text: str, entry_point: str, head: str, *, strict: bool) -> str:
    """Return the entry point in `text` with what it needs, or nothing."""
    if language == "php" and "<?php" not in text:
        text = f"<?php\n{text}"
    root = parse(language, text)
    entry = next(_entries(language, root, entry_point, strict=strict), None)
    if entry is None:
        return ""
    given = [item for item in _definitions(language, parse(language, _close(language, head)))]
    given = [item for item in given if entry_point not in item.names]
    if language == "java":
        return _java_program(root, entry, entry_point, head, given)
    found = _definitions(language, root)
    at_top = any(entry_point in item.names and not _is_example(item, entry_point) for item in found)
    chosen = _needed(found if at_top else [_define(language, entry)], given, entry_point)
    return _join(language, given, chosen)


def _entries(language: str, root: Node, entry_point: str, *, strict: bool) -> Iterator[Node]:
    """Yield definitions of the entry point, those at the top level first."""
    for node in chain(root.children, walk(root)):
        if node.type in _FUNCTIONS or node.type in _VALUES:
            item = _define(language, _unwrap(node))
            if entry_point in item.names and item.has_body and not (strict and item.broken):
                yield node


def _definitions(language: str, root: Node) -> list[_Definition]:
    """Return the parts of a program, with Rust's attributes before what they belong to."""
    items: list[_Definition] = []
    attributes = ""
    for node in _members_or_top(language, root):
        if node.type == "attribute_item":
            attributes += text_of(node) + "\n"
            continue
        if node.type in _FUNCTIONS | _VALUES | _TYPES | _ALWAYS_KEPT:
            items.append(_define(language, node, attributes))
        attributes = ""
    return items


def _members_or_top(language: str, root: Node) -> list[Node]:
    """Return the top level's nodes; of Java's head, which is one open class, the members of the class."""
    if language != "java":
        return [_unwrap(node) for node in root.children]
    members: list[Node] = []
    for node in root.children:
        body = node.child_by_field_name("body") if node.type == "class_declaration" else None
        members += body.children if body else [node]
    return members


def _unwrap(node: Node) -> Node:
    """Return what an `export` exports."""
    return (node.child_by_field_name("declaration") or node) if node.type == "export_statement" else node


def _define(language: str, node: Node, attributes: str = "") -> _Definition:
    inner = node
    if node.type == "template_declaration":
        inner = next((child for child in node.children if child.type in _FUNCTIONS | _TYPES | _VALUES), node)
    if language == "cpp" and inner.type == "function_definition":
        inner = next((part for part in walk(inner) if part.type == "function_declarator"), inner)
    ending = ";" if node.next_sibling is not None and node.next_sibling.type == ";" else ""
    parameters = text_of(inner.child_by_field_name("parameters"))
    return _Definition(node.type, _names(inner), parameters, f"{attributes}{text_of(node)}{ending}", node.has_error)


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


def _is_example(item: _Definition, entry_point: str) -> bool:
    """Tell a value that is computed by calling the entry point from one that the entry point may need."""
    return item.kind in _VALUES and not item.has_body and bool(re.search(rf"\b{re.escape(entry_point)}\b", item.text))


def _needed(found: Sequence[_Definition], given: Sequence[_Definition], entry_point: str) -> list[_Definition]:
    """Return what stays of a reply: the entry point's first definition and all it mentions, directly or not."""
    unique: dict[tuple[object, ...], _Definition] = {}
    for item in found:
        named = item.kind in _FUNCTIONS or item.kind in _VALUES
        unique.setdefault((item.kind, item.names, item.parameters) if named and item.names else (item.text,), item)
    items = [item for item in unique.values() if not _is_example(item, entry_point)]
    words = {entry_point}
    for item in given:
        words |= set(re.findall(r"\w+", item.text))
    kept: set[int] = set()
    while True:
        fresh = [
            number
            for number, item in enumerate(items)
            if number not in kept and (item.kind in _ALWAYS_KEPT or item.names & words) and "main" not in item.names
        ]
        if not fresh:
            return [item for number, item in enumerate(items) if number in kept]
        kept.update(fresh)
        for number in fresh:
            words |= set(re.findall(r"\w+", items[number].text))


def _join(language: str, given: Sequence[_Definition], chosen: Sequence[_Definition]) -> str:
    """Put the head's definitions before those of the reply, without those that the reply repeats."""
    names = {name for item in chosen for name in item.names if item.kind not in _ALWAYS_KEPT}
    texts = {_plain(item.text) for item in chosen}
    before = [
        item
        for item in given
        if _plain(item.text) not in texts and (item.kind in _ALWAYS_KEPT or not item.names & names)
    ]
    lines = [item.text for item in before]
    if language == "rust" and any(item.kind == "use_declaration" for item in chosen):
        # what a glob imports may be imported again by name, which is an error between two plain imports
        imports = [item.text for item in before if item.kind == "use_declaration"]
        lines = [item.text for item in before if item.kind != "use_declaration"]
        if imports:
            public = "\n".join(f"    pub {text}" for text in imports)
            lines.insert(0, f"mod given {{\n{public}\n}}\nuse given::*;")
    return "\n".join([*lines, *(item.text for item in chosen)]) + "\n"


def _java_program(root: Node, entry: Node, entry_point: str, head: str, given: Sequence[_Definition]) -> str:
    """Return the head's class with the members that the reply has around the entry point."""
    body = entry.parent if entry.parent is not None and entry.parent.type == "class_body" else root
    apart = ("constructor_declaration", "class_body", "line_comment", "block_comment", "import_declaration")
    members = [
        _define("java", node)
        for node in body.children
        if node.is_named and node.type not in apart and node.type != "package_declaration" and name_of(node) != "main"
    ]
    if body is root:
        members = [item for item in members if item.kind != "ERROR"]
    members = _without_repeats(members)
    others = [
        re.sub(r"^\s*(?:public|private|protected)\s+", "", text_of(node))
        for node in root.children
        if body is not root
        and node.type in _TYPES
        and node.child_by_field_name("body") != body
        and not re.search(r"\bvoid\s+main\s*\(", text_of(node))
        and node.child_by_field_name("body") is not None
        and not _holds(node, entry)
    ]
    imports = [item.text for item in given if item.kind == "import_declaration"]
    imports += [text_of(node) for node in root.children if node.type == "import_declaration"]
    names = {name for item in members for name in item.names}
    kept = [item for item in given if item.kind != "import_declaration" and not item.names & names and item.names]
    opening = re.search(r"^(?:public\s+)?class\s+\w+\s*\{", head, re.MULTILINE)
    lines = [*dict.fromkeys(imports), opening[0] if opening else "class Solution {"]
    return "\n".join([*lines, *(item.text for item in [*kept, *members]), "}", *others]) + "\n"


def _without_repeats(items: Sequence[_Definition]) -> list[_Definition]:
    """Return the first of the definitions that have kind, names and parameters in common."""
    unique: dict[tuple[object, ...], _Definition] = {}
    for item in items:
        unique.setdefault((item.kind, item.names, item.parameters) if item.names else (item.text,), item)
    return list(unique.values())


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def _plain(text: str) -> str:
    return "".join(text.split())

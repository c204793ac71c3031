"""Functions and classes in source files, each with what a reader needs beside it.

Enters: the text of a file, or a folder of files. Leaves: every outermost function, class or type with the comment right
above it (a Python docstring is inside already); for Python also those of the file's imports whose names it uses.
Methods stay in their class. A definition that does not parse is left out. Not guaranteed: that a definition stands
alone; other definitions of its file are not brought along.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.source_code.folders import files_in
from inverse_instruct.source_code.languages import language_of_file, parse

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_FILE_BYTES = 1_000_000
NOTEBOOK = ".ipynb"

_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "venv", "site-packages", "vendor", "third_party", "build", "dist"}

_C_TYPES = {"struct_specifier", "enum_specifier", "union_specifier"}
DEFINITIONS: dict[str, set[str]] = {
    "bash": {"function_definition"},
    "c": {"function_definition", *_C_TYPES},
    "cpp": {"function_definition", "class_specifier", "template_declaration", *_C_TYPES},
    "csharp": {
        "class_declaration",
        "interface_declaration",
        "struct_declaration",
        "record_declaration",
        "enum_declaration",
        "local_function_statement",
    },
    "go": {"function_declaration", "method_declaration", "type_declaration"},
    "java": {
        "class_declaration",
        "interface_declaration",
        "enum_declaration",
        "record_declaration",
        "method_declaration",
    },
    "javascript": {"function_declaration", "generator_function_declaration", "class_declaration"},
    "php": {"function_definition", "class_declaration", "interface_declaration", "trait_declaration"},
    "python": {"function_definition", "class_definition", "decorated_definition"},
    "ruby": {"method", "singleton_method", "class", "module"},
    "rust": {"function_item", "struct_item", "enum_item", "trait_item", "impl_item", "macro_definition"},
    "swift": {"function_declaration", "class_declaration", "protocol_declaration"},
    "typescript": {
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
        "abstract_class_declaration",
        "interface_declaration",
        "enum_declaration",
        "type_alias_declaration",
    },
}
"""Language -> the kinds of syntax nodes that define a function, a class or a type."""
_ARROWS = re.compile(rb"=>|\bfunction\b")
_CONTAINERS = {
    "namespace_definition",
    "namespace_declaration",
    "declaration_list",
    "linkage_specification",
    "compound_statement",
    "preproc_ifdef",
    "preproc_if",
    "file_scoped_namespace_declaration",
    "global_statement",
}
_COMMENTS = {"comment", "line_comment", "block_comment", "multiline_comment", "attribute_item"}
_IMPORTS = {"import_statement", "import_from_statement"}


@dataclass(frozen=True, slots=True)
class Definition:
    """One function, class or type: its code and the 1-based line of the file on which it begins."""

    code: str
    line: int


def definitions(code: str, language: str) -> list[Definition]:
    """Return the outermost definitions of a file, in order."""
    root, data = parse(code, language).root_node, code.encode("utf-8", "replace")
    imports = _python_imports(root) if language == "python" else []
    by_name: dict[str, list[int]] = defaultdict(list)
    for number, (_, names) in enumerate(imports):
        for name in names:
            by_name[name].append(number)

    def definition(siblings: list[Node], index: int) -> Definition:
        found = _with_comments(siblings, index, data)
        used = set(re.findall(r"\w+", found.code)) & by_name.keys()
        needed = [imports[number][0] for number in sorted({number for name in used for number in by_name[name]})]
        return Definition("\n".join(needed) + "\n\n\n" + found.code, found.line) if needed else found

    return [
        definition(siblings, index) for siblings, index in _outermost(root, language) if not siblings[index].has_error
    ]


def is_source_file(path: Path) -> bool:
    """Tell whether the name of a file is one of source code in a language of ours, or of a notebook."""
    return language_of_file(path) is not None or path.suffix.lower() == NOTEBOOK


def source_paths(folder: Path) -> Iterator[Path]:
    """Yield the source files and notebooks of a folder in the order of their names.

    Links, hidden folders, what is neither file nor folder, and folders of dependencies and build results are skipped.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    return filter(is_source_file, files_in(folder, _SKIPPED_FOLDERS))


def _outermost(root: Node, language: str) -> Iterator[tuple[list[Node], int]]:
    """Yield the outermost definitions in order, each as a place among siblings; containers may nest without limit."""
    waiting = [(root.named_children, 0)]
    while waiting:
        siblings, index = waiting.pop()
        if index == len(siblings):
            continue
        waiting.append((siblings, index + 1))
        if _defines(siblings[index], language):
            yield siblings, index
        elif siblings[index].type in _CONTAINERS:
            waiting.append((siblings[index].named_children, 0))


def _defines(node: Node, language: str) -> bool:
    if node.type in DEFINITIONS[language]:
        return node.type not in _C_TYPES or node.child_by_field_name("body") is not None
    if language in ("javascript", "typescript"):
        if node.type == "export_statement":
            return any(_defines(child, language) for child in node.named_children)
        return node.type == "lexical_declaration" and _ARROWS.search(_bytes(node)) is not None
    return False


def _with_comments(siblings: list[Node], index: int, data: bytes) -> Definition:
    node = first = siblings[index]
    after = node.next_sibling
    pieces = [_indented(node, data) + (";" if after and after.type == ";" else "")]
    while index and siblings[index - 1].type in _COMMENTS:
        above = siblings[index - 1]
        if first.start_point.row - _last_row(above) != 1:
            break
        pieces.append(_indented(above, data).rstrip("\n"))
        first, index = above, index - 1
    return Definition("\n".join(reversed(pieces)), first.start_point.row + 1)


def _indented(node: Node, data: bytes) -> str:
    """Return the code of a node with the indentation of its first line taken off all of its lines."""
    column, text = node.start_point.column, data[node.start_byte : node.end_byte].decode("utf-8", "replace")
    return re.sub(rf"^[ \t]{{1,{column}}}", "", text, flags=re.MULTILINE) if column else text


def _last_row(node: Node) -> int:
    return node.end_point.row - 1 if node.end_point.column == 0 else node.end_point.row


def _python_imports(root: Node) -> list[tuple[str, set[str]]]:
    """Return the import statements of a Python module with the names that each one binds."""
    return [(_text(node), _bound_names(node)) for node in root.named_children if node.type in _IMPORTS]


def _bound_names(statement: Node) -> set[str]:
    names = set()
    for node in statement.children_by_field_name("name"):
        alias = node.child_by_field_name("alias")
        names.add(_text(alias) if alias else _text(node).split(".")[0])
    return names


def _bytes(node: Node) -> bytes:
    return node.text or b""


def _text(node: Node) -> str:
    return _bytes(node).decode("utf-8", "replace")

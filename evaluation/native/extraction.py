"""Takes the program out of a model's answer, for languages other than Python.

Enters: a reply (fenced, bare, chatty, cut off, or the mere rest of a function), the entry point, and the head: the
start of a program up to and including the opening brace of the entry point, which a reply may repeat or continue.
Leaves: source text with the entry point, what it needs of the reply, and the head's other definitions. Tests, examples
and main functions are dropped. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned.
"""

import re
from collections.abc import Sequence

from tree_sitter import Node

from evaluation.native.definitions import (
    ALWAYS_KEPT,
    FUNCTIONS,
    TYPES,
    VALUES,
    Definition,
    close,
    closings,
    define,
    find_definitions,
    find_entries,
    is_example,
)
from evaluation.native.sources import MAX_CHARACTERS, name_of, parse, text_of

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


def extract_program(language: str, reply: str, entry_point: str, head: str) -> str:
    """Return the program in `reply` that defines `entry_point`, or an overlong reply as it is; never raises."""
    if len(reply) > MAX_CHARACTERS:
        return reply
    reply = reply.replace("\r\n", "\n")
    blocks = [(match[2].lower(), match[3]) for match in _FENCED.finditer(reply)]
    own = [text for name, text in blocks if name in _FENCE_NAMES[language]] or [text for _, text in blocks]
    fenced = "\n".join(own)
    whole = [text + closing for text in [fenced if own else reply] for closing in closings(language)]
    continued = [head + text + closing for text in (own or [reply]) for closing in closings(language)]
    begins_inside = not own and reply.lstrip("\n")[:1].isspace()
    order = [*continued, *whole] if begins_inside else [*whole, *continued]
    for strict in (True, False):
        for text in order:
            program = _program(language, text, entry_point, head, strict=strict)
            if program:
                return program
    return fenced if own else head + reply


def _program(language: str, text: str, entry_point: str, head: str, *, strict: bool) -> str:
    """Return the entry point in `text` with what it needs, or nothing."""
    if language == "php" and "<?php" not in text:
        text = f"<?php\n{text}"
    root = parse(language, text)
    entry = next(find_entries(language, root, entry_point, strict=strict), None)
    if entry is None:
        return ""
    given = [item for item in find_definitions(language, parse(language, close(language, head)))]
    given = [item for item in given if entry_point not in item.names]
    if language == "java":
        return _java_program(root, entry, entry_point, head, given)
    found = find_definitions(language, root)
    at_top = any(entry_point in item.names and not is_example(item, entry_point) for item in found)
    chosen = _needed(found if at_top else [define(language, entry)], given, entry_point)
    return _join(language, given, chosen)


def _needed(found: Sequence[Definition], given: Sequence[Definition], entry_point: str) -> list[Definition]:
    """Return what stays of a reply: the entry point's first definition and all it mentions, directly or not."""
    unique: dict[tuple[object, ...], Definition] = {}
    for item in found:
        named = item.kind in FUNCTIONS or item.kind in VALUES
        unique.setdefault((item.kind, item.names, item.parameters) if named and item.names else (item.text,), item)
    items = [item for item in unique.values() if not is_example(item, entry_point)]
    words = {entry_point}
    for item in given:
        words |= set(re.findall(r"\w+", item.text))
    kept: set[int] = set()
    while True:
        fresh = [
            number
            for number, item in enumerate(items)
            if number not in kept and (item.kind in ALWAYS_KEPT or item.names & words) and "main" not in item.names
        ]
        if not fresh:
            return [item for number, item in enumerate(items) if number in kept]
        kept.update(fresh)
        for number in fresh:
            words |= set(re.findall(r"\w+", items[number].text))


def _join(language: str, given: Sequence[Definition], chosen: Sequence[Definition]) -> str:
    """Put the head's definitions before those of the reply, without those that the reply repeats."""
    names = {name for item in chosen for name in item.names if item.kind not in ALWAYS_KEPT}
    texts = {_plain(item.text) for item in chosen}
    before = [
        item
        for item in given
        if _plain(item.text) not in texts and (item.kind in ALWAYS_KEPT or not item.names & names)
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


def _java_program(root: Node, entry: Node, entry_point: str, head: str, given: Sequence[Definition]) -> str:
    """Return the head's class with the members that the reply has around the entry point."""
    body = entry.parent if entry.parent is not None and entry.parent.type == "class_body" else root
    apart = ("constructor_declaration", "class_body", "line_comment", "block_comment", "import_declaration")
    members = [
        define("java", node)
        for node in body.children
        if node.is_named and node.type not in apart and node.type != "package_declaration" and name_of(node) != "main"
    ]
    if body is root:
        members = [item for item in members if item.kind != "ERROR"]
    members = _without_repeats(members)
    opening = re.search(r"^(?:public\s+)?class\s+(\w+)\s*\{", head, re.MULTILINE)
    own_class = opening[1] if opening else "Solution"
    others = [] if body is root else _other_types(root, entry, own_class)
    imports = [item.text for item in given if item.kind == "import_declaration"]
    imports += [text_of(node) for node in root.children if node.type == "import_declaration"]
    names = {name for item in members for name in item.names}
    kept = [item for item in given if item.kind != "import_declaration" and not item.names & names and item.names]
    lines = [*dict.fromkeys(imports), f"class {own_class} {{"]
    return "\n".join([*lines, *(item.text for item in [*kept, *members]), "}", *others]) + "\n"


def _other_types(root: Node, entry: Node, own_class: str) -> list[str]:
    """Return the types of a Java reply beside the entry point's class and the one with the main method."""
    types = {
        name_of(node): text_of(node)
        for node in reversed(root.children)
        if node.type in TYPES and not _holds(node, entry) and name_of(node) != own_class
    }
    kept = [text for text in reversed(types.values()) if not re.search(r"\bvoid\s+main\s*\(", text)]
    return [re.sub(r"^(?:public|private|protected)\s+", "", text) for text in kept]


def _without_repeats(items: Sequence[Definition]) -> list[Definition]:
    """Return the first of the definitions that have kind, names and parameters in common."""
    unique: dict[tuple[object, ...], Definition] = {}
    for item in items:
        unique.setdefault((item.kind, item.names, item.parameters) if item.names else (item.text,), item)
    return list(unique.values())


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def _plain(text: str) -> str:
    return "".join(text.split())

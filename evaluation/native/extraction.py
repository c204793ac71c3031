"""Takes the program out of a model's answer, for languages other than Python.

Enters: a reply (fenced, bare, chatty, cut off, or the mere rest of a function), the entry point, and the head: the
start of a program up to and including the opening brace of the entry point, which a reply may repeat or continue.
Leaves: source text with the entry point, what it can reach in the reply, and the head's other definitions. Tests,
examples and main functions are dropped. Of several code blocks the last that defines the entry point counts. Nothing is
executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned.
"""

import re
from collections.abc import Sequence

from tree_sitter import Node

from evaluation.native.definitions import (
    ALWAYS_KEPT,
    Definition,
    close,
    closings,
    define,
    find_definitions,
    find_entries,
)
from evaluation.native.java_class import java_program
from evaluation.native.reach import find_needed, is_example
from evaluation.native.sources import MAX_CHARACTERS, parse

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
    return extract_readings(language, reply, entry_point, head)[0]


def extract_readings(language: str, reply: str, entry_point: str, head: str) -> list[str]:
    """Return what a reply can be read as: the program taken out of it, and, where that differs, the code as it stands.

    The second is for where the first is wrong: an answer that is right as it stands is not to fail for how it was read.
    """
    if len(reply) > MAX_CHARACTERS:
        return [reply]
    reply = reply.replace("\r\n", "\n")
    blocks = [(match[2].lower(), match[3]) for match in _FENCED.finditer(reply)]
    own = [text for name, text in blocks if name in _FENCE_NAMES[language]] or [text for _, text in blocks]
    own = _without_drafts(language, own, entry_point)
    fenced = "\n".join(own)
    whole = [text + closing for text in [fenced if own else reply] for closing in closings(language)]
    continued = [head + text + closing for text in (own or [reply]) for closing in closings(language)]
    begins_inside = not own and reply.lstrip("\n")[:1].isspace()
    order = [*continued, *whole] if begins_inside else [*whole, *continued]
    for strict in (True, False):
        for text in order:
            program = _program(language, text, entry_point, head, strict=strict)
            if program:
                return [program, *([text] if _plain(text) != _plain(program) else [])]
    return [fenced if own else head + reply]


def _without_drafts(language: str, blocks: Sequence[str], entry_point: str) -> list[str]:
    """Return the blocks, those before the last that defines the entry point without what this one defines."""
    roots = [_parse(language, text) for text in blocks]
    found = (any(find_entries(language, root, entry_point, strict=True)) for root in roots)
    *drafts, last = [number for number, defines in enumerate(found) if defines] or [-1]
    if not drafts:
        return list(blocks)
    final = {name for item in find_definitions(language, roots[last]) for name in item.names} | {entry_point}
    kept = list(blocks)
    for number in drafts:
        items = [] if language == "java" else find_definitions(language, roots[number])
        kept[number] = "\n".join(item.text for item in items if not item.names & final)
    return kept


def _parse(language: str, text: str) -> Node:
    return parse(language, f"<?php\n{text}" if language == "php" and "<?php" not in text else text)


def _program(language: str, text: str, entry_point: str, head: str, *, strict: bool) -> str:
    """Return the entry point in `text` with what it needs, or nothing."""
    root = _parse(language, text)
    entry = next(find_entries(language, root, entry_point, strict=strict), None)
    if entry is None:
        return ""
    given = [item for item in find_definitions(language, parse(language, close(language, head)))]
    given = [item for item in given if entry_point not in item.names]
    if language == "java":
        return java_program(root, entry, head, given)
    found = find_definitions(language, root)
    at_top = any(item.defines(entry_point) and not is_example(item, entry_point) for item in found)
    chosen = find_needed(found if at_top else [define(language, entry)], given, entry_point)
    return _join(language, given, chosen)


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


def _plain(text: str) -> str:
    return "".join(text.split())

"""Takes the program out of a model's answer, for languages other than Python.

Enters: an answer (fenced, bare, chatty, cut off, or the mere rest of a function), the entry point, and the head: the
start of a program up to and including the opening brace of the entry point, which an answer may repeat or continue.
Leaves: source text with the entry point, what it can reach in the answer, and the head's other definitions. Tests,
examples and main functions are dropped. Of several code blocks the last that defines the entry point counts, and of one
block the first definition; other blocks fill in what that one lacks. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tree_sitter import Node

from evaluation.fences import find_blocks
from evaluation.native.definitions import (
    ALWAYS_KEPT,
    Definition,
    close,
    closings,
    define,
    find_definitions,
    find_entries,
    holds_unknown,
)
from evaluation.native.java_class import java_program
from evaluation.native.reach import find_needed, is_example, leaves_out
from evaluation.native.sources import MAX_CHARACTERS, parse
from evaluation.thoughts import without_thoughts

_FENCE_NAMES = {
    "cpp": ("cpp", "c++", "cxx", "cc", "c", "hpp"),
    "go": ("go", "golang"),
    "java": ("java",),
    "javascript": ("javascript", "js", "node", "nodejs", "jsx", "mjs", "cjs", "ecmascript"),
    "php": ("php",),
    "rust": ("rust", "rs"),
    "swift": ("swift",),
}
_LABEL_NAME = re.compile(r"(?:\{?\s*\.)?(?:lang(?:uage)?-)?([a-z]+(?:\+\+)?)", re.IGNORECASE)
"""The language in `c++17`, `{.rust .numberLines}`, `language-js`, `node.js`, `java title="x"`."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to take an answer for a program."""

    text: str
    """Where the entry point is looked for."""
    others: Sequence[str] = ()
    """Other blocks, which may have what the text lacks; those of the front come before it."""
    before: int = 0
    """How many of them do."""
    as_value: bool = False
    """Whether the entry point may be a variable that gets a function from elsewhere."""
    is_whole: bool = True
    """It is not put after the head."""


def extract_program(language: str, answer: str, entry_point: str, head: str) -> str:
    """Return the program in an answer that defines `entry_point`, or an overlong answer as it is; never raises."""
    return extract_readings(language, answer, entry_point, head)[0]


def extract_readings(language: str, answer: str, entry_point: str, head: str) -> list[str]:
    """Return what an answer can be read as: the program taken out of it, its block as it stands, and all its blocks.

    The others are there where more was left out than what cannot matter, for where the first is wrong: an answer that
    is right as it stands is not to fail for how it was read.
    """
    answer = without_thoughts(answer).answer
    if len(answer) > MAX_CHARACTERS:
        return [answer]
    answer = re.sub(r"\r\n?", "\n", answer)
    blocks = [block for block in find_blocks(answer) if block.text.strip()]
    texts = {id(block): textwrap.dedent(block.text) if block.indent else block.text for block in blocks}
    own = [texts[id(block)] for block in blocks if _is_label_of(language, block.label)] or list(texts.values())
    for strict in (True, False):
        for attempt in _attempts(language, answer, own, head):
            readings = _readings(language, attempt, entry_point, head, strict=strict)
            if readings:
                stands = "\n".join(own) or answer
                is_other = attempt.others or (not attempt.is_whole and entry_point in stands)
                return [*readings, *([stands] if is_other else [])]
    return ["\n".join(own) if own else head + answer]


def _is_label_of(language: str, label: str) -> bool:
    name = _LABEL_NAME.match(label)
    return name is not None and name[1].lower() in _FENCE_NAMES[language]


def _attempts(language: str, answer: str, own: Sequence[str], head: str) -> Iterator[_Attempt]:
    """Yield the ways to take an answer for a program, the best first."""
    endings = closings(language)
    whole = [
        _Attempt(own[number] + closing, [*own[:number], *own[number + 1 :]], number)
        for number in reversed(range(len(own)))
        for closing in endings
    ]
    whole += [_Attempt(answer + closing) for closing in endings if not own]
    whole += [replace(attempt, as_value=True) for attempt in whole]
    bodies = sorted(own, key=lambda text: "return" not in text) or [answer]
    continued = [_Attempt(head + body + closing, is_whole=False) for body in bodies for closing in endings]
    begins_inside = not own and answer.lstrip("\n")[:1].isspace()
    yield from [*continued, *whole] if begins_inside else [*whole, *continued]


def _readings(language: str, attempt: _Attempt, entry_point: str, head: str, *, strict: bool) -> list[str]:
    """Return the entry point in a text with what it needs, and the text if more was left out; or nothing."""
    text = _as_program(language, attempt.text)
    root = parse(language, text)
    entry = next(find_entries(language, root, entry_point, strict=strict, as_value=attempt.as_value), None)
    if entry is None:
        return []
    given = [item for item in find_definitions(language, parse(language, close(language, head)))]
    given = [item for item in given if entry_point not in item.names]
    others = [parse(language, _as_program(language, other)) for other in attempt.others]
    if language == "java":
        drafts = [next(find_entries(language, other, entry_point, strict=False), None) for other in others]
        spare = [other for other, draft in zip(others, drafts, strict=True) if draft is None]
        return java_program(root, entry, head, given, spare)
    found = _with_spare(language, root, others[: attempt.before], others[attempt.before :])
    at_top = any(item.defines(entry_point) and not is_example(item, entry_point) for item in found)
    chosen = find_needed(found if at_top else [define(language, entry)], given, entry_point)
    program = _join(language, given, chosen)
    is_less = root.has_error or holds_unknown(language, root)
    is_less = is_less or leaves_out(find_definitions(language, root), chosen, entry_point)
    return [program, text] if is_less else [program]


def _as_program(language: str, text: str) -> str:
    return f"<?php\n{text}" if language == "php" and "<?php" not in text else text


def _with_spare(language: str, root: Node, before: Sequence[Node], after: Sequence[Node]) -> list[Definition]:
    """Return the parts of a text, and what other blocks have beside them."""
    parts = find_definitions(language, root)
    names = {name for item in parts for name in item.names}

    def spare(other: Node) -> list[Definition]:
        items = find_definitions(language, other)
        return [item for item in items if item.kind in ALWAYS_KEPT or (item.names and not item.names & names)]

    earlier = [item for other in before for item in spare(other)]
    return [*earlier, *parts, *(item for other in after for item in spare(other))]


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

"""Takes the program out of a model's answer.

Enters: a completion (fenced, bare, chatty, cut off, or the mere rest of the prompt's function), the entry point and
the prompt. Leaves: source text with the entry point and what it needs: imports, other definitions, constants, those of
the prompt included. Tests, prints and the `__main__` block are dropped. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned, and running it gives
the verdict `syntax` or `missing`.
"""

import re
import textwrap
from collections.abc import Iterator

from evaluation.top_level import Statement, find_statements

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_INDENT = "    "


def extract_code(completion: str, entry_point: str, prompt: str) -> str:
    """Return the program in `completion` that defines `entry_point`; never raises.

    `prompt` is the start of a program (imports, signature, docstring) that the completion may continue, or mere text.
    """
    completion = completion.replace("\r\n", "\n")
    prompt = prompt if prompt.endswith("\n") else prompt + "\n"
    given = [statement for statement in find_statements(prompt) if entry_point not in statement.binds]
    fenced = "\n".join(textwrap.dedent(match[2]) for match in _FENCED.finditer(completion))
    continued = list(_continuations(prompt, completion, fenced))
    whole = [fenced, completion, textwrap.dedent(completion)]
    first_line = next((line for line in completion.splitlines() if line.strip()), "")
    starts_inside = first_line[:1].isspace() and not fenced
    for text in [*continued, *whole] if starts_inside else [*whole, *continued]:
        program = _program(given, find_statements(text), entry_point)
        if program is not None:
            return program
    if fenced.strip():
        return fenced
    return completion if re.search(r"^\s*(?:def|class|import|from) ", completion, re.MULTILINE) else prompt + completion


def _continuations(prompt: str, completion: str, fenced: str) -> Iterator[str]:
    """Yield the prompt continued by the completion as a function body, indented in the ways models get it wrong."""
    for body in filter(str.strip, (fenced, completion)):
        body = body.lstrip("\n")
        if body[0].isspace():
            yield prompt + body
        elif not any(statement.defines and "def " in statement.text for statement in find_statements(body)):
            yield prompt + _INDENT + body
            yield prompt + textwrap.indent(body, _INDENT)


def _program(given: list[Statement], found: list[Statement], entry_point: str) -> str | None:
    """Return the entry point with everything it needs, in the order of the sources, or None if it is not there."""
    entries = [item for item in found if entry_point in item.binds and item.defines and not item.hollow]
    if not entries:
        return None
    others = [item for item in found if entry_point not in item.binds]
    provided = {name for item in others for name in item.binds}
    needed = {id(item) for item in [*given, *others] if item.always_needed}
    waiting = [entries[0]]
    while waiting:
        item = waiting.pop()
        needed.add(id(item))
        for name in item.uses:
            source = others if name in provided else given
            waiting += [other for other in source if name in other.binds and id(other) not in needed]
    kept = [item for item in [*given, *found] if id(item) in needed]
    kept.sort(key=lambda item: not item.text.startswith("from __future__"))
    return "\n".join(item.text.rstrip() + "\n" for item in kept)

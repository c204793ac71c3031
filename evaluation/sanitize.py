"""Takes the program out of a model's answer.

Enters: a completion (fenced, bare, chatty, cut off, or the mere rest of the prompt's function), the entry point and
the prompt. Leaves: source text with the entry point and what it needs: imports, other definitions, constants, those of
the prompt included. Tests, prints and the `__main__` block are dropped. Nothing is executed.
Not guaranteed: that the text compiles. Where no entry point is found the best guess is returned, and running it gives
the verdict `syntax` or `missing`.
"""

import re
import textwrap
from itertools import chain

from evaluation.top_level import Statement, find_statements

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_RETURNS = re.compile(r"^(?:return|yield)\b", re.MULTILINE)
_INDENT = "    "


def extract_code(completion: str, entry_point: str, prompt: str) -> str:
    """Return the program in `completion` that defines `entry_point`; never raises.

    `prompt` is the start of a program (imports, signature, docstring) that the completion may continue, or mere text.
    """
    completion = completion.replace("\r\n", "\n")
    prompt = prompt if prompt.endswith("\n") else prompt + "\n"
    given = [statement for statement in find_statements(prompt) if entry_point not in statement.binds]
    fenced = "\n".join(textwrap.dedent(match[2]) for match in _FENCED.finditer(completion))
    dedented = textwrap.dedent(completion)
    whole = (_program(given, text, entry_point) for text in dict.fromkeys([fenced, completion, dedented]))
    continued = (_continued(given, prompt, body, entry_point) for body in dict.fromkeys([fenced, completion]))
    inside = not fenced and _starts_inside(completion, dedented, entry_point)
    for program in chain(continued, whole) if inside else chain(whole, continued):
        if program:
            return program
    if fenced.strip():
        return fenced
    return completion if re.search(r"^\s*(?:def|class|import|from) ", completion, re.MULTILINE) else prompt + completion


def _starts_inside(completion: str, dedented: str, entry_point: str) -> bool:
    """Tell whether the completion goes on with a function body, rather than being all indented by accident."""
    if not completion.lstrip("\n")[:1].isspace():
        return False
    return dedented.lstrip("\n")[:1].isspace() or not any(
        entry_point in statement.binds for statement in find_statements(dedented)
    )


def _continued(given: list[Statement], prompt: str, body: str, entry_point: str) -> str:
    """Return the program that the prompt and a function body make, or nothing."""
    body = body.strip("\n")
    if not body.strip():
        return ""
    if _lacks_only_first_indent(body):
        body = _INDENT + body
    elif not body[0].isspace():
        is_module = any(statement.defines and "def " in statement.text for statement in find_statements(body))
        if is_module and not _RETURNS.search(body):
            return ""
        body = textwrap.indent(body, _INDENT)
    return _program(given, prompt + body + "\n", entry_point)


def _lacks_only_first_indent(body: str) -> bool:
    """Tell whether stripping took the first line's indentation alone, judging by the second line's."""
    first, *rest = [line for line in body.splitlines() if line.strip()]
    second = rest[0] if rest else ""
    due = 2 * _INDENT if first.rstrip().endswith(":") else _INDENT
    return not first[0].isspace() and second.startswith(due)


def _program(given: list[Statement], text: str, entry_point: str) -> str:
    """Return the entry point in `text` with all it needs, in the order of the sources; nothing if it is not there."""
    found = find_statements(text)
    entries = [item for item in found if entry_point in item.binds and item.defines and not item.hollow]
    if not entries:
        return ""
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

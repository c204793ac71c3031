"""Finds the top-level statements in text that may be partly Python and partly prose.

Enters: any text. Leaves: the statements at column 0 that parse, in order. A definition that is cut off in the middle is
kept up to its last whole line.
Not guaranteed: that a line of prose is not Python; "import this" is both.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise

from evaluation.data_flow import Statement, read_statement
from evaluation.syntax import NO_PROGRAM, read_tree

_MOST_CHARACTERS = 100_000
"""Longer texts are not read: no answer is so long, and parsing takes memory many times the length."""
_MOST_WORK = 1_000_000
"""Characters that are scanned and parsed, again and again, before the rest of a text counts as prose."""
_MOST_STATEMENTS = 2000
_MOST_LINES_CUT = 50

_CONTINUES = re.compile(r"[\s#)\]}]|(?:else|elif|except|finally)\b|$")
_TOKEN = re.compile(
    r"""#[^\n]*|(?P<quotes>\"{3}|'{3})(?:\\.|(?!(?P=quotes)).)*(?:(?P=quotes)|\Z)"""
    r"""|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|\\\n|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>\n)""",
    re.DOTALL,
)


def find_statements(text: str) -> list[Statement]:
    """Return the top-level statements of `text`, in order."""
    if len(text) > _MOST_CHARACTERS:
        return []
    module = parse(text)
    return list(islice(_statements(module, text) if module else _statements_among_prose(text), _MOST_STATEMENTS))


def parse(text: str) -> ast.Module | None:
    """Return the program that a text is, or None where it is none."""
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        return read_tree(text)
    except NO_PROGRAM:
        return None


def dedented(text: str) -> str:
    """Return a text without the indentation that its first line and all others share; blank lines stay as they are."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    shared = all(line.startswith(indent) for line in lines if line.strip())
    return "\n".join(line.removeprefix(indent) for line in lines) if shared else text


def _statements(module: ast.Module, text: str) -> Iterator[Statement]:
    lines = text.split("\n")
    for node in module.body:
        statement = read_statement(node, _source(node, lines))
        if statement is not None and statement.kind == "guard" and isinstance(node, ast.If):
            statement = replace(statement, body=tuple(find_statements(_body_source(node, lines))))
        if statement is not None:
            yield statement


def _source(node: ast.stmt, lines: list[str]) -> str:
    """Return the lines of a statement, decorators included, without what shares its first or last line."""
    start, column = node.lineno - 1, node.col_offset
    if decorators := getattr(node, "decorator_list", ()):
        start, column = decorators[0].lineno - 1, 0
        while not lines[start].startswith("@"):
            start -= 1
    return _cut(lines, start, column, node)


def _body_source(node: ast.If, lines: list[str]) -> str:
    """Return what stands under a condition, as a text of its own."""
    first, last = node.body[0], node.body[-1]
    if first.lineno == node.lineno:
        return _cut(lines, first.lineno - 1, first.col_offset, last)
    return dedented(_cut(lines, first.lineno - 1, 0, last))


def _cut(lines: list[str], start: int, column: int, last: ast.stmt) -> str:
    """Return the source from a line and column (in bytes) to the end of a statement."""
    stop = (last.end_lineno or last.lineno) - 1
    whole = [*lines[start:stop], lines[stop].encode()[: last.end_col_offset].decode()]
    whole[0] = whole[0].encode()[column:].decode()
    return "\n".join(whole) + "\n"


def _statements_among_prose(text: str) -> Iterator[Statement]:
    """Yield what parses, beginning anew after each line at column 0 that begins nothing that does."""
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    beginnings = [start for start in lines if not _CONTINUES.match(text, start)]
    position = work = 0
    for start, following in pairwise([*beginnings, len(text)]):
        if start < position or work > _MOST_WORK:
            continue
        for end, most_lines_cut in ((_end_of_statement(text, start), 0), (following, _MOST_LINES_CUT)):
            module, length, attempts = _longest_program(text[start:end], most_lines_cut)
            work += (end - start) * (1 + attempts)
            if module:
                yield from _statements(module, text[start : start + length])
                position = start + length
                break


def _end_of_statement(text: str, start: int) -> int:
    """Return where the statement that begins at column 0 ends, or would if it were one, with all that is under it."""
    depth, decorated = 0, text[start] == "@"
    for token in _TOKEN.finditer(text, start):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
        elif token["end"] and not depth:
            if decorated:
                decorated = text[token.end() : token.end() + 1] in ("@", "#", "\n")
            elif not _CONTINUES.match(text, token.end()):
                return token.end()
    return len(text)


def _longest_program(text: str, most_lines_cut: int) -> tuple[ast.Module | None, int, int]:
    """Return the program that a text begins with, its length, and the number of attempts; last lines are cut off."""
    length = len(text)
    for attempt in range(1, 2 + most_lines_cut):
        module = parse(text[:length]) if length else None
        if module and module.body:
            return module, length, attempt
        length = text.rfind("\n", 0, max(0, length - 1)) + 1
        if module or not length:
            return None, 0, attempt
    return None, 0, attempt

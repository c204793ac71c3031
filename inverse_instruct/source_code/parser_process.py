"""Parsing of code that nobody vouches for, in a child process with a limit on its CPU time and memory.

Enters: code, and the language it is said to be in. Leaves: whether it parses, what speaks against it being in that
language, its definitions, or its outline; `ParserFailed` if the child ran into a limit, or crashed twice.
tree-sitter's own timeout is no bound: its error recovery, quadratic in the depth of the nesting, is not interrupted by
it. No code is too short for a child: the scanners of grammars are C, and a few letters may crash one. The limit is CPU
time, so that a busy machine does not change what is kept. Not guaranteed: the same verdict, on a slower machine, for
code that takes about that long.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from evaluation.limited_process import LimitedProcess, ProcessFailed, answer_questions
from inverse_instruct.source_code import languages, likeness, source_files
from inverse_instruct.source_code import outline as outlines
from inverse_instruct.source_code.outline import Span
from inverse_instruct.source_code.source_files import Definition

CPU_SECONDS = 2.0
_MEMORY_BYTES = 2 << 30


class ParserFailed(Exception):
    """The parser ran into a limit, or crashed; the message says which."""


def parses(code: str, language: str) -> bool:
    """Tell whether the code parses in the language with no erroneous and no missing node.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    return bool(_ask("parses", code, language))


def objection(code: str, language: str) -> str:
    """Return what speaks against code being in the language, see `likeness.py`; "" if nothing does.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    return str(_ask("objection", code, language))


def definitions(code: str, language: str) -> list[Definition]:
    """Return the outermost definitions of a file, in order.

    Raises:
        ParserFailed: they cannot be told within the limits.
    """
    return [Definition(*found) for found in _ask("definitions", code, language)]


def outline(code: str, language: str) -> list[Span]:
    """Return where the definitions and the outermost statements of a file begin and end.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    return [Span(*found) for found in _ask("outline", code, language)]


def _ask(question: str, code: str, language: str) -> Any:
    try:
        return json.loads(_child().ask(json.dumps([question, code, language]).encode(), CPU_SECONDS))
    except ProcessFailed as error:
        raise ParserFailed(f"as {language}: {error}") from error


@cache
def _child() -> LimitedProcess:
    return LimitedProcess("inverse_instruct.source_code.parser_process", "the parser", _MEMORY_BYTES)


def _answer(request: bytes) -> bytes:
    answers: dict[str, Callable[[str, str], Any]] = {
        "parses": languages.parses,
        "objection": likeness.objection,
        "definitions": _definitions,
        "outline": outlines.outline,
    }
    question, code, language = json.loads(request)
    return json.dumps(answers[question](code, language)).encode()


def _definitions(code: str, language: str) -> list[tuple[str, int]]:
    return [(found.code, found.line) for found in source_files.definitions(code, language)]


if __name__ == "__main__":
    answer_questions(_answer)

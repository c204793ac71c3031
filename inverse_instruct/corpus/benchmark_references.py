"""The texts of a benchmark that must not be found in training data.

Enters: one row of a benchmark file, in the layout of HumanEval, EvalPlus, MBPP, MultiPL-E, DS-1000, EditEval or
HumanEvalPack. Leaves: its task id, its prose (what the task says: docstring, comment, instruction) and its code
(prompt as a whole, solutions). The layout is told by the names of the fields; tests are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_PROSE_FIELDS = ("text", "docstring", "instruction")
_CODE_FIELDS = ("canonical_solution", "buggy_solution", "code", "reference_code", "input", "output")

_DOCSTRING = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|/\*+(.*?)\*/', re.DOTALL)
_COMMENT_LINE = re.compile(r"^[ \t]*(?:///?|#(?!include|!|define)) ?(.*)$", re.MULTILINE)
_EXAMPLES = re.compile(r">>>|\bfor examples?\b|\bexamples?\s*\d*\s*:|^\s*assert\b|<code>", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class References:
    """What one benchmark task consists of."""

    task: str
    prose: tuple[str, ...]
    code: tuple[str, ...]


def references(fields: dict[str, Any], benchmark: str, number: int) -> References:
    """Return the texts of one row.

    Args:
        fields: the row.
        benchmark: name of the file, for rows whose id is a bare number.
        number: place of the row in the file, for rows without an id.
    """
    prompt = _text(fields, "prompt")
    prose = [_text(fields, name) for name in _PROSE_FIELDS] + (_comments(prompt) or [prompt])
    code = [prompt, *(_text(fields, name) for name in _CODE_FIELDS)]
    return References(_task(fields, benchmark, number), _filled(map(_description, prose)), _filled(code))


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _filled(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _comments(prompt: str) -> list[str]:
    """Return the docstrings and comments of a prompt, without their marks."""
    found = ["".join(filter(None, groups)) for groups in _DOCSTRING.findall(prompt)]
    lines = _COMMENT_LINE.findall(_DOCSTRING.sub("", prompt))
    return [*found, "\n".join(lines)] if lines else found


def _description(prose: str) -> str:
    """Return the prose up to its first example or block of code."""
    examples = _EXAMPLES.search(prose)
    return prose[: examples.start()] if examples else prose


def _task(fields: dict[str, Any], benchmark: str, number: int) -> str:
    metadata = fields.get("metadata")
    fallback = metadata.get("problem_id", number) if isinstance(metadata, dict) else number
    named = fields.get("task_id", fallback)
    task = str(named if isinstance(named, str | int) else number)
    if task.isdigit():
        return f"{benchmark}/{task}"
    language = fields.get("language")
    return f"{task} ({language})" if isinstance(language, str) else task

"""The texts of a benchmark that must not be found in training data.

Enter: the rows of a benchmark, in the layout of HumanEval, EvalPlus, MBPP, MultiPL-E, DS-1000, EditEval, HumanEvalPack,
BigCodeBench or LiveCodeBench. Leave, for each row: its task id, its prose (what the task says: docstring, comment,
instruction) and its code (prompt as a whole, solutions). The layout is told by the names of the fields; tests are left
out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, read_file

_PROMPTS = ("prompt", "complete_prompt")
_PROSE_FIELDS = ("text", "docstring", "instruction", "question_content")
_CODE_FIELDS = ("canonical_solution", "buggy_solution", "code", "reference_code", "input", "output", "starter_code")

_DOCSTRING = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|/\*+(.*?)\*/', re.DOTALL)
_COMMENT_LINE = re.compile(r"^[ \t]*(?:///?|#(?!include|!|define)) ?(.*)$", re.MULTILINE)
_CODE_MARK = "<code>"
"""Before the code of a DS-1000 prompt, whose description stands above it; the comments of that code are none."""
_EXAMPLES = re.compile(r">>>|\bfor examples?\b|\bexamples?\s*\d*\s*:|^\s*assert\b|<code>", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TaskTexts:
    """What one benchmark task says, and how it is solved."""

    task: str
    prose: tuple[str, ...]
    code: tuple[str, ...]


def texts_of(rows: Sequence[Row], benchmark: str) -> tuple[TaskTexts, ...]:
    """Return the texts of rows.

    Args:
        rows: of one benchmark.
        benchmark: its name, for rows whose id is a bare number.
    """
    return tuple(_texts(row.fields, benchmark, number) for number, row in enumerate(rows, start=1))


def read_texts(path: Path) -> tuple[TaskTexts, ...]:
    """Return the texts of a benchmark's file, whichever of these benchmarks it is of.

    Raises:
        BenchmarkError: it cannot be read, or holds no benchmark.
    """
    found = texts_of(read_file(path).rows, path.name.split(".")[0])
    if not any(task.prose or task.code for task in found):
        raise BenchmarkError(f"{path}: holds no benchmark; its rows need a prompt, text, docstring or solution field")
    return found


def _texts(fields: dict[str, Any], benchmark: str, number: int) -> TaskTexts:
    prompt = next(filter(None, (_text(fields, name) for name in _PROMPTS)), "")
    prose = [_text(fields, name) for name in _PROSE_FIELDS] + _said(prompt)
    code = [prompt, *(_text(fields, name) for name in _CODE_FIELDS)]
    return TaskTexts(_task(fields, benchmark, number), _filled(map(_description, prose)), _filled(code))


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _filled(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _said(prompt: str) -> list[str]:
    """Return the docstrings and comments of a prompt, without their marks, or the prompt where it is prose."""
    if _CODE_MARK in prompt:
        return [prompt.partition(_CODE_MARK)[0]]
    found = ["".join(filter(None, groups)) for groups in _DOCSTRING.findall(prompt)]
    lines = _COMMENT_LINE.findall(_DOCSTRING.sub("", prompt))
    return [*found, "\n".join(lines)] if lines else found or [prompt]


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

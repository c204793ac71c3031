"""Contest problems in the published form of LiveCodeBench's code generation, whose files have gigabytes.

Enters: files of JSON lines. Leaves: a `ContestProblem` for each row, without its tests, which are read from the file
again when they are needed. Hidden tests are packed as pickles upstream; no pickle is loaded (see `packed_text`). Not
guaranteed: that the tests of a row can be read before they are; only how they are packed is looked at.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError
from evaluation.packed_text import unpack_text
from evaluation.rows import Row

_LARGEST_LINE_BYTES = 1 << 29


@dataclass(frozen=True, slots=True)
class ContestProblem:
    """What is kept of a row."""

    task_id: str

    question: str
    starter: str
    function: str
    """Name of the method to write; "" for a program."""
    date: str
    difficulty: str
    platform: str
    path: Path
    offset: int
    """Where its line begins in the file, in bytes."""
    where: str
    unreadable: str
    """Why its hidden tests cannot be read, as far as their beginning tells; "" where they can."""


def read_contest_problems(path: Path) -> Iterator[tuple[ContestProblem, bytes]]:
    """Yield the problems of a file, each with its line.

    Raises:
        BenchmarkError: a row does not say what is needed; the message gives file, line and field.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        offset = 0
        for number, line in enumerate(iter(lambda: file.readline(_LARGEST_LINE_BYTES + 1), b""), start=1):
            if len(line) > _LARGEST_LINE_BYTES:
                raise BenchmarkError(f"{path}:{number}: has more than {_LARGEST_LINE_BYTES >> 20} MiB, as no row has")
            if line.strip():
                yield _problem(_row(line, f"{path}:{number}"), path, offset), line
            offset += len(line)


def tests_of(problem: ContestProblem) -> tuple[list[list[object]], list[object]]:
    """Return the inputs of all tests, public and hidden, and what is expected of each.

    Of a program, the input is one text, and so is what it prints; of a method, they are values of JSON.

    Raises:
        BenchmarkError: there are none, or they cannot be read.
    """
    with problem.path.open("rb") as file:
        file.seek(problem.offset)
        return _tests(_row(file.readline(), problem.where), problem.function)


def _tests(row: Row, function: str) -> tuple[list[list[object]], list[object]]:
    """Return the inputs of a row's tests, and what is expected."""
    public = _json_of(row, "public_test_cases", row.text("public_test_cases"))
    cases = [*public, *_json_of(row, "private_test_cases", _hidden(row))]
    inputs: list[list[object]] = []
    expected: list[object] = []
    for case in cases:
        try:
            given, wanted = case["input"], case["output"]
            lines = [line for line in given.split("\n") if line.strip()] if function else []
            inputs.append(list(map(json.loads, lines)) if function else [given])
            expected.append(json.loads(wanted) if function else str(wanted))
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BenchmarkError(f"{row.where}: test {len(inputs)} has no input and output ({error})") from None
    if not inputs:
        raise BenchmarkError(f"{row.where}: has no tests, so nothing would be tested")
    return inputs, expected


def _hidden(row: Row) -> str:
    packed = row.text("private_test_cases")
    if packed.lstrip().startswith("["):
        return packed
    try:
        return unpack_text(packed)
    except ValueError as error:
        raise BenchmarkError(f"{row.where}: private_test_cases: {error}") from None


def _json_of(row: Row, name: str, text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{row.where}: {name}: not JSON: {error}") from None
    if not isinstance(value, list):
        raise BenchmarkError(f"{row.where}: {name}: not a list of tests")
    return value


def _row(line: bytes, where: str) -> Row:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{where}: not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BenchmarkError(f"{where}: not a JSON object")
    return Row(where, fields)


def _problem(row: Row, path: Path, offset: int) -> ContestProblem:
    date = row.text("contest_date")[:10]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise BenchmarkError(f"{row.where}: contest_date: begins with no date of the form 2024-08-01: {date!r}")
    starter = row.text("starter_code", empty=True)
    return ContestProblem(
        task_id=f"livecodebench/{row.text('question_id')}",
        question=row.text("question_content"),
        starter=starter,
        function=_function(row) if starter.strip() else "",
        date=date,
        difficulty=row.text("difficulty"),
        platform=row.text("platform"),
        path=path,
        offset=offset,
        where=row.where,
        unreadable=_unreadable(row),
    )


def _function(row: Row) -> str:
    """Return the name of the function, which becomes a part of a program."""
    metadata = row.fields.get("metadata")
    try:
        named: Any = json.loads(metadata) if isinstance(metadata, str) else metadata
        name = named["func_name"]
    except (ValueError, TypeError, KeyError):
        raise BenchmarkError(
            f"{row.where}: metadata: names no func_name, which a task with starter_code needs"
        ) from None
    if not isinstance(name, str) or not name.isidentifier():
        raise BenchmarkError(f"{row.where}: metadata: func_name: {str(name)[:40]!r} is no name of a function")
    return name


def _unreadable(row: Row) -> str:
    """Return why hidden tests cannot be read as far as their beginning tells, which is quick; "" where they can."""
    packed = row.text("private_test_cases")
    if packed.lstrip().startswith("[") or packed.startswith(("eA", "eJ", "eN")):  # as zlib begins
        return ""
    return "hidden tests are neither JSON nor packed as upstream packs them (base64 of zlib); get the file anew"

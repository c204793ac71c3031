"""Benchmark problems in the EvalPlus format.

Enters: a .jsonl or .jsonl.gz file in the schema of HumanEval+ (EvalPlus releases): one problem per line.
Leaves: `Problem` records in file order.
Not guaranteed: that the canonical solution is right, or that the inputs meet the contract; the contract serves to
make inputs and is never added to a candidate. JSON has no tuples or sets, so MBPP+ inputs come as lists here.
"""

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError

MINI_PATH = Path(__file__).parent / "mini" / "problems.jsonl"
"""Our own 32 short problems, from trivial to easy, for tests and for very small models."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; a complete solution is `prompt + canonical_solution`."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: tuple[list[object], ...]
    plus_input: tuple[list[object], ...]
    contract: str
    atol: float

    @property
    def inputs(self) -> tuple[list[object], ...]:
        """All argument lists, the base ones first."""
        return self.base_input + self.plus_input


def load_problems(path: Path) -> list[Problem]:
    """Return the problems of a .jsonl or .jsonl.gz file.

    Raises:
        BenchmarkError: a line or a field is wrong (the message gives file, line and field), or there are none.
        OSError: the file cannot be read.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    problems: dict[str, Problem] = {}
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                problem = _parse(line, f"{path}:{number}")
                if problem.task_id in problems:
                    raise BenchmarkError(f"{path}:{number}: task_id: {problem.task_id!r} is there twice")
                problems[problem.task_id] = problem
    if not problems:
        raise BenchmarkError(f"{path}: holds no problems")
    return list(problems.values())


def benchmark_digest(problems: Sequence[Problem]) -> str:
    """Return the SHA-256 of the problems' content and order; file name and compression do not matter."""
    text = json.dumps([asdict(problem) for problem in problems], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _parse(line: str, where: str) -> Problem:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BenchmarkError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise BenchmarkError(f"{where}: not a JSON object")
    texts = {name: _text(row, name, where) for name in ("task_id", "prompt", "entry_point", "canonical_solution")}
    base_input = _argument_lists(row, "base_input", where)
    if not base_input:
        raise BenchmarkError(f"{where}: base_input: empty, so nothing would be tested")
    atol = row.get("atol", 0)
    if isinstance(atol, bool) or not isinstance(atol, int | float) or not 0 <= atol < float("inf"):
        raise BenchmarkError(f"{where}: atol: must be a finite number of at least 0, not {atol!r}")
    return Problem(
        **texts,
        base_input=base_input,
        plus_input=_argument_lists(row, "plus_input", where),
        contract=_text(row, "contract", where) if "contract" in row else "",
        atol=float(atol),
    )


def _text(row: dict[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or (not value and name != "contract"):
        raise BenchmarkError(f"{where}: {name}: must be {'text' if value != '' else 'non-empty text'}")
    return value


def _argument_lists(row: dict[str, Any], name: str, where: str) -> tuple[list[object], ...]:
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(arguments, list) for arguments in value):
        raise BenchmarkError(f"{where}: {name}: must be a list of argument lists")
    return tuple(value)

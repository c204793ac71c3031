"""Benchmark problems in the EvalPlus format: a function to write, and inputs to call it with.

Enters: rows in the schema of the EvalPlus releases (HumanEval+, MBPP+) or of our own mini set.
Leaves: `Problem` records in file order.
Not guaranteed: that the canonical solution is right, or that the inputs meet the contract; the contract serves to
make inputs and is never added to a candidate. JSON has no tuples or sets: see `mbpp_inputs` for turning them back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, Rows

MINI_PATH = Path(__file__).parent / "mini" / "problems.jsonl"
"""Our own 32 short problems, from trivial to easy, for tests and for very small models."""

Arguments = Sequence[object]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; a complete solution is `prompt + canonical_solution`."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: tuple[Arguments, ...]
    plus_input: tuple[Arguments, ...]
    contract: str
    atol: float
    oracle: str = ""
    """Name in `oracles.ORACLES` of the problem's own rule of comparison; "" where equality decides."""

    @property
    def parts(self) -> tuple[tuple[Arguments, ...], ...]:
        """The argument lists of each run: base, and plus where there are any; runs share no state."""
        return (self.base_input, self.plus_input) if self.plus_input else (self.base_input,)


def read_problems(rows: Rows) -> list[Problem]:
    """Return the problems in `rows`.

    Raises:
        BenchmarkError: a field is wrong, or an id is there twice; the message gives file, line and field.
    """
    problems: dict[str, Problem] = {}
    for row in rows.rows:
        problem = _read(row)
        if problem.task_id in problems:
            raise BenchmarkError(f"{row.where}: task_id: {problem.task_id!r} is there twice")
        problems[problem.task_id] = problem
    return list(problems.values())


def _read(row: Row) -> Problem:
    base_input = _argument_lists(row, "base_input")
    if not base_input:
        raise BenchmarkError(f"{row.where}: base_input: empty, so nothing would be tested")
    atol = row.fields.get("atol", 0)
    if isinstance(atol, bool) or not isinstance(atol, int | float) or not 0 <= atol < float("inf"):
        raise BenchmarkError(f"{row.where}: atol: must be a finite number of at least 0, not {atol!r}")
    return Problem(
        task_id=row.text("task_id"),
        prompt=row.text("prompt"),
        entry_point=row.text("entry_point"),
        canonical_solution=row.text("canonical_solution"),
        base_input=base_input,
        plus_input=_argument_lists(row, "plus_input"),
        contract=row.text("contract", empty=True) if "contract" in row.fields else "",
        atol=float(atol),
    )


def _argument_lists(row: Row, name: str) -> tuple[Arguments, ...]:
    value = row.fields.get(name) or []  # none at all may be an empty object
    if not isinstance(value, list) or not all(isinstance(arguments, list) for arguments in value):
        raise BenchmarkError(f"{row.where}: {name}: must be a list of argument lists")
    return tuple(value)

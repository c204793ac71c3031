"""A suite of one's own, from a file: what to write, how it is called, and what it must do.

A row has `prompt` (the head of a Python function with a docstring, or words), `entry_point` (the function's name), and
either `inputs` (argument lists) with `canonical_solution`, whose outputs are right, or `tests`: Python that raises
where the function is wrong, as one text or a list of them. `task_id` may be left out. Rows with inputs are judged as
those of EvalPlus, rows with tests as those of HumanEval; a file has one kind. Not guaranteed: that the tests test
anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.problems import read_problems
from evaluation.rows import Row, Rows, content_digest, read_file
from evaluation.scripts import Script, with_helpers
from evaluation.suite import Sample
from evaluation.suites.evalplus import EvalPlusSuite
from evaluation.suites.humaneval import HumanEval
from evaluation.syntax import NO_PROGRAM, read_tree
from evaluation.texts import texts_of

_SECONDS = 10.0
"""Of CPU time, for all tests of a task; nobody has said how long they take."""


@dataclass(frozen=True, slots=True)
class OwnTests(HumanEval):
    """Tasks with tests of their own; a canonical solution may be missing."""

    name: str = "own"

    def reference(self, task_id: str) -> str:
        """Return the canonical solution as a whole program; "" where there is none."""
        row = self.rows[task_id]
        solution = row.fields.get("canonical_solution")
        return _whole(row, solution) if isinstance(solution, str) else ""

    def _script(self, sample: Sample) -> Script:
        row = self.rows[sample.task_id]
        tests = with_helpers(row.text("prompt"), row.text("entry_point"), f"{row.text('test')}\n")
        return Script(sample.solution, tests, _SECONDS, self.reference(sample.task_id) or None)


def load(data: str | None) -> EvalPlusSuite | OwnTests:
    """Return the suite of a file.

    Raises:
        BenchmarkError: none is named, or a row does not say all that is needed; the message gives file, line and field.
    """
    if data is None or Path(data).is_dir():
        raise BenchmarkError("own: name your file with `data` (--data on the command line)")
    rows = read_file(Path(data))
    kinds = {_kind(row) for row in rows.rows}
    if len(kinds) > 1:
        raise BenchmarkError(f"{rows.source}: some rows have inputs and some tests; make a file of each kind")
    given = tuple(_completed(row, number) for number, row in enumerate(rows.rows, start=1))
    return _with_inputs(replace(rows, rows=given)) if kinds == {"inputs"} else _with_tests(replace(rows, rows=given))


def _with_inputs(rows: Rows) -> EvalPlusSuite:
    problems = {problem.task_id: problem for problem in read_problems(rows)}
    return EvalPlusSuite("own", _version(rows), content_digest(rows.rows), problems, texts_of(rows.rows, "own"))


def _with_tests(rows: Rows) -> OwnTests:
    tasks: dict[str, Row] = {}
    for row in rows.rows:
        if row.text("task_id") in tasks:
            raise BenchmarkError(f"{row.where}: task_id: {row.text('task_id')!r} is there twice")
        tasks[row.text("task_id")] = row
    return OwnTests(tasks, content_digest(rows.rows), texts_of(rows.rows, "own"), version=_version(rows))


def _version(rows: Rows) -> str:
    return f"own, file with MD5 {rows.md5}"


def _kind(row: Row) -> str:
    found = [name for name in ("inputs", "tests") if row.fields.get(name)]
    if len(found) != 1:
        raise BenchmarkError(
            f"{row.where}: needs either `inputs` (argument lists) with `canonical_solution`, or `tests` (Python), "
            f"and has {' and '.join(found) or 'neither'}"
        )
    return found[0]


def _completed(row: Row, number: int) -> Row:
    """Return a row in the fields of the suites whose way it is judged."""
    entry_point, prompt = row.text("entry_point"), row.text("prompt")
    if not entry_point.isidentifier():
        raise BenchmarkError(f"{row.where}: entry_point: {entry_point[:40]!r} is no name of a function")
    if f"def {entry_point}(" not in prompt:
        words = f"{prompt.strip()}\nThe function is called {entry_point}.".splitlines()
        prompt = "".join(f"# {line}".rstrip() + "\n" for line in words)
    fields = {**row.fields, "prompt": prompt, "task_id": row.fields.get("task_id") or f"own/{number}"}
    if "inputs" in fields and fields["inputs"]:
        fields["base_input"] = fields.pop("inputs")
        fields["canonical_solution"] = _rest(prompt, _whole(row, row.text("canonical_solution")), row.text("prompt"))
    else:
        fields["test"] = _tests(row)
    return Row(row.where, fields)


def _tests(row: Row) -> str:
    given = row.fields["tests"]
    parts: Sequence[object] = given if isinstance(given, list) else [given]
    if not all(isinstance(part, str) for part in parts):
        raise BenchmarkError(f"{row.where}: tests: must be text, or a list of texts")
    text = "\n".join(map(str, parts))
    try:
        read_tree(text)
    except NO_PROGRAM as error:
        raise BenchmarkError(f"{row.where}: tests: are no Python: {error}") from None
    if row.text("entry_point") not in text:
        raise BenchmarkError(f"{row.where}: tests: never call {row.text('entry_point')}")
    return text


def _whole(row: Row, solution: str) -> str:
    """Return a solution as a whole program: as it stands, if it defines the function, else behind the prompt."""
    return solution if f"def {row.text('entry_point')}(" in solution else row.text("prompt") + solution


def _rest(prompt: str, program: str, given: str) -> str:
    """Return what, behind a prompt, makes it a program that does what `program` does."""
    if prompt == given and program.startswith(prompt):
        return program.removeprefix(prompt)
    return f"    pass\n\n\n{program}\n" if prompt == given else program

"""MBPP as Google published it: a function from a sentence and three assertions.

Both published files are read: the full one, of whose 974 rows the 500 of the test split (ids 11 to 510) are the tasks,
and the sanitized one, whose rows are all tasks. Scores of the two are not comparable, nor with those of MBPP+.
The assertions are part of the prompt, as in the paper.
"""

import ast
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from evaluation.errors import BenchmarkError
from evaluation.origins import Origin, find_rows
from evaluation.reading import read
from evaluation.rows import Row, content_digest
from evaluation.sanitize import extract_code, extract_readings
from evaluation.scripts import Script, script_examiner
from evaluation.suite import PROGRAM_ENDS, Examiner, Execution, Prompt, Sample
from evaluation.syntax import NO_PROGRAM, read_tree
from evaluation.texts import TaskTexts, texts_of

_ORIGIN = Origin(
    ("mbpp.jsonl", "mbpp_sanitized.jsonl", "sanitized-mbpp.json"),
    "google-research-datasets/mbpp",
    "full",
    download="https://github.com/google-research/google-research/tree/master/mbpp",
)
_TEST_SPLIT = range(11, 511)
_SECONDS = 3.0
"""Of CPU time, and more where the reference needs it here (see `Script.reference`): task 123 takes many seconds."""
_FENCE = "```python\n"


@dataclass(frozen=True, slots=True)
class Task:
    """One row of either file."""

    text: str
    code: str
    """The reference."""
    setup: str
    """What the assertions need besides the solution."""
    assertions: tuple[str, ...]
    names: tuple[str, ...]
    """What the reference defines and the assertions use, the function in question first."""

    @property
    def prompt(self) -> str:
        """The beginning of a program: what is asked, and by which tests."""
        tests = "\n".join(filter(None, [self.setup, *self.assertions]))
        text = f"{self.text.strip()}\nYour code should pass these tests:\n\n{tests}".replace('"""', "'''")
        return f'"""\n{text}\n"""\n'


@dataclass(frozen=True, slots=True)
class Mbpp:
    """The test split of the full file, or the whole sanitized one."""

    version: str
    digest: str
    tasks: Mapping[str, Task]
    texts: Sequence[TaskTexts] = field(repr=False)
    name: str = "mbpp"

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.tasks)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return nothing: Python is always there."""
        return {}

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the program, once."""
        if replies:
            return None
        request = f"Write a solution to the following problem:\n\n{_FENCE}{self.tasks[task_id].prompt}```"
        return Prompt(request, _FENCE, ("```",))

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the description and its assertions, to go on from."""
        return Prompt("", f"{self.tasks[task_id].prompt.strip()}\n", PROGRAM_ENDS)

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply, with all that the assertions use."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the reply can be read as."""
        return read(replies[-1], partial(_readings, names=self.tasks[task_id].names))

    def stem(self, task_id: str) -> str:
        """Return the prompt."""
        return self.tasks[task_id].prompt

    def reference(self, task_id: str) -> str:
        """Return the reference solution."""
        return self.tasks[task_id].code

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Open the sandboxes."""
        return script_examiner(execution, self._script)

    def _script(self, sample: Sample) -> Script:
        task = self.tasks[sample.task_id]
        tests = "\n".join([task.setup, *task.assertions])
        return Script(sample.solution, tests, _SECONDS, task.code)


def _readings(reply: str, names: Sequence[str]) -> list[str]:
    function, *others = names
    first, *more = extract_readings(reply, function, "")
    parts = [extract_code(reply, name, "") for name in others]
    return ["\n".join(dict.fromkeys([*parts, first])), *more]


def load(data: str | None) -> Mbpp:
    """Return the suite from a file, a folder (the full file is preferred), or the hub (the full set).

    Raises:
        BenchmarkError: the file cannot be used.
    """
    rows = find_rows(_ORIGIN, data).rows
    texts = texts_of(rows, "mbpp")
    full = "test_setup_code" in rows[0].fields
    if full:
        rows = tuple(row for row in rows if _number(row) in _TEST_SPLIT)
        if not rows:
            raise BenchmarkError("MBPP: the file holds none of the tasks 11 to 510, which are the test split")
    version = f"MBPP test split, {len(rows)} tasks" if full else f"MBPP sanitized, {len(rows)} tasks"
    tasks = {f"Mbpp/{_number(row)}": _task(row, full) for row in rows}
    return Mbpp(version, content_digest(rows), tasks, texts)


def _number(row: Row) -> int:
    value = row.fields.get("task_id")
    if not isinstance(value, int):
        raise BenchmarkError(f"{row.where}: task_id: must be a whole number")
    return value


def _task(row: Row, full: bool) -> Task:
    code = row.text("code").replace("\r\n", "\n")
    setup = row.text("test_setup_code", empty=True) if full else "\n".join(_texts(row, "test_imports"))
    assertions = _texts(row, "test_list")
    try:
        names = _names(code, "\n".join([setup, *assertions]))
    except NO_PROGRAM as error:
        raise BenchmarkError(f"{row.where}: code or test_list: not Python: {error}") from None
    if not names:
        raise BenchmarkError(f"{row.where}: test_list: uses nothing that code defines")
    text = row.text("text" if full else "prompt")
    return Task(text, code, setup.replace("\r\n", "\n"), assertions, names)


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.fields.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BenchmarkError(f"{row.where}: {name}: must be a list of texts")
    return tuple(item.replace("\r\n", "\n") for item in value)


def _names(code: str, tests: str) -> tuple[str, ...]:
    """Return what `code` defines and `tests` use, functions before classes."""
    used = {node.id for node in ast.walk(read_tree(tests)) if isinstance(node, ast.Name)}
    body = read_tree(code).body
    functions = [item.name for item in body if isinstance(item, ast.FunctionDef) and item.name in used]
    classes = [item.name for item in body if isinstance(item, ast.ClassDef) and item.name in used]
    return tuple(dict.fromkeys(functions + classes))

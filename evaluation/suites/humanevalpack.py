"""HumanEvalPack: repairing, explaining and writing functions in six languages.

HumanEvalFix gives a faulty function with its tests (or, `docs`, with its docstring) and asks for the function repaired.
HumanEvalSynthesize gives a description. HumanEvalExplain asks twice: first for a description of a function, then, in a
conversation that knows nothing of the first, for the function by that description alone; the function's name and code
blocks are taken out of the description.

A sample is a whole program without its tests, which run in a process of their own (see `scripts` for Python,
`native` for the other languages). As in the official harness, common imports are put before Python and C++ programs,
imports of Go programs are completed, and JavaScript that prints anything has failed. C++ is compiled as C++17.

Not guaranteed: the same verdict twice where the tests or the solution leave something to chance. Two canonical
solutions do: that of Go/95 depends on the order in which a map is walked and passes most of the time, that of Rust/32
(Newton's method on random polynomials, which does not always converge) about every other time.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

from evaluation.errors import BenchmarkError
from evaluation.native import extraction
from evaluation.native.cpp import Cpp
from evaluation.native.definitions import TYPES, defined_names, entry_of, find_definitions
from evaluation.native.golang import Go
from evaluation.native.interpreted import JavaScript
from evaluation.native.java import Java
from evaluation.native.runner import TestedProgram, native_examiner
from evaluation.native.rust import Rust
from evaluation.native.signatures import signature_of
from evaluation.native.sources import parse
from evaluation.native.toolchain import Task as TestedTask
from evaluation.native.toolchain import Toolchain
from evaluation.origins import Origin, find_rows
from evaluation.reading import read
from evaluation.rows import Row, content_digest
from evaluation.sanitize import extract_readings
from evaluation.scripts import Script, script_examiner, with_helpers
from evaluation.suite import Examiner, Execution, Prompt, Sample
from evaluation.texts import TaskTexts, texts_of
from evaluation.thoughts import without_thoughts
from evaluation.toolchains import missing_tasks

Mode = Literal["humanevalfix", "humanevalfix_docs", "humanevalexplain", "humanevalsynthesize"]
Language = Literal["python", "js", "java", "go", "cpp", "rust"]

NAMES: tuple[str, ...] = tuple(f"{mode}_{language}" for mode in get_args(Mode) for language in get_args(Language))
"""All suites of this file."""

_PYTHON_IMPORTS = """\
import collections, copy, datetime, functools, hashlib, heapq, itertools, math, re, statistics, string, sys
from collections import *
from typing import *
"""
_NUMPY_IMPORT = "import numpy\nimport numpy as np\n"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What one language is called, and how its programs are judged."""

    name: str
    """In sentences."""
    grammar: str
    """In `native` and on code blocks."""
    seconds: float
    """Limit of one program, as in the official harness."""
    toolchain: Callable[[], Toolchain] | None
    """None: the interpreter that runs this."""


_DIALECTS: dict[Language, _Dialect] = {
    "python": _Dialect("Python", "python", 10.0, None),
    "js": _Dialect("JavaScript", "javascript", 10.0, partial(JavaScript, silent=True)),
    "java": _Dialect("Java", "java", 10.0, partial(Java, "Main")),
    "go": _Dialect("Go", "go", 20.0, Go),
    "cpp": _Dialect("C++", "cpp", 60.0, Cpp),
    "rust": _Dialect("Rust", "rust", 20.0, partial(Rust, "2021", ("rand", "regex", "md5"))),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One function, in one language."""

    task_id: str
    entry_point: str
    head: str
    """Imports and declaration, up to the beginning of the function's body."""
    documented_head: str
    """The same with the docstring."""
    canonical_solution: str
    """Body, with what closes it."""
    buggy_solution: str
    instruction: str
    docstring: str
    test: str
    types: str
    """Definitions of types that the declaration names and the canonical solution makes."""
    needs: str
    """Code that tells which libraries the task needs."""


@dataclass(frozen=True, slots=True)
class HumanEvalPackSuite:
    """One mode in one language."""

    name: str
    version: str
    digest: str
    mode: Mode
    language: Language
    tasks: Mapping[str, Task]
    texts: Sequence[TaskTexts] = field(repr=False)

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.tasks)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks whose compiler or libraries are not installed."""
        if self.language == "python":
            return {}
        codes = {task_id: task.needs for task_id, task in self.tasks.items()}
        return missing_tasks(_DIALECTS[self.language].grammar, codes)

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the function; when explaining, for its description before."""
        task, dialect = self.tasks[task_id], _DIALECTS[self.language]
        if self.mode == "humanevalexplain" and not replies:
            return Prompt(_description_request(task, dialect))
        if len(replies) > (self.mode == "humanevalexplain"):
            return None
        requests: dict[Mode, Callable[[Task, _Dialect], str]] = {
            "humanevalfix": _repair_request,
            "humanevalfix_docs": _documented_repair_request,
            "humanevalexplain": partial(_described_request, description=replies[0] if replies else ""),
            "humanevalsynthesize": lambda task, dialect: task.instruction,
        }
        request = requests[self.mode](task, dialect)
        return Prompt(request, f"```{dialect.grammar}\n{task.head.strip()}", ("\n```",))

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the last reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the last reply can be read as."""
        task = self.tasks[task_id]
        if self.language == "python":
            return read(replies[-1], partial(extract_readings, entry_point=task.entry_point, prompt=task.head))
        grammar = _DIALECTS[self.language].grammar
        how = partial(extraction.extract_readings, grammar, entry_point=task.entry_point, head=task.head)
        return read(replies[-1], how)

    def stem(self, task_id: str) -> str:
        """Return the program up to the beginning of the function's body."""
        return self.tasks[task_id].head

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Prepare the toolchain and the sandboxes."""
        toolchain = _DIALECTS[self.language].toolchain
        if toolchain is None:
            return script_examiner(execution, self._script)
        return native_examiner(toolchain(), execution, self._program)

    def _script(self, sample: Sample) -> Script:
        before = _PYTHON_IMPORTS + (_NUMPY_IMPORT if re.search(r"\b(?:np|numpy)\.", sample.solution) else "")
        task = self.tasks[sample.task_id]
        tests = with_helpers(task.documented_head, task.entry_point, task.test)
        reference = task.head + task.canonical_solution
        return Script(before + sample.solution, tests, _DIALECTS[self.language].seconds, reference)

    def _program(self, sample: Sample) -> TestedProgram:
        before = "using namespace std;\n" if self.language == "cpp" else ""
        task = self.tasks[sample.task_id]
        tested = TestedTask(before + task.head, task.test, task.types)
        return TestedProgram(before + sample.solution, tested, _DIALECTS[self.language].seconds)


def load(mode: Mode, language: Language, data: str | None) -> HumanEvalPackSuite:
    """Return one mode of HumanEvalPack in one language.

    Raises:
        BenchmarkError: the data cannot be used.
    """
    origin = Origin(
        (f"humanevalpack/{language}.jsonl", f"{language}.jsonl"), hub="bigcode/humanevalpack", config=language
    )
    rows = find_rows(origin, data)
    tasks = [_read_task(row, language) for row in rows.rows]
    version = f"HumanEvalPack, {_DIALECTS[language].name}, {len(tasks)} tasks"
    return HumanEvalPackSuite(
        name=f"{mode}_{language}",
        version=version,
        digest=content_digest(rows.rows),
        mode=mode,
        language=language,
        tasks={task.task_id: task for task in tasks},
        texts=texts_of(rows.rows, "humanevalpack"),
    )


def _read_task(row: Row, language: Language) -> Task:
    imports = row.text("import", empty=True) if language == "go" else ""
    declaration, canonical = row.text("declaration"), row.text("canonical_solution")
    test = row.text("test_setup") + row.text("test") if language == "go" else row.text("test")
    entry_point = row.text("entry_point")
    prompt = row.text("prompt")
    grammar = _DIALECTS[language].grammar
    if language != "python":
        if _is_damaged(grammar, declaration, prompt, canonical):
            declaration, imports = prompt, ""
        entry_point = entry_of(grammar, declaration)  # the field has another name in JavaScript/114 and a dozen others
        if not entry_point:
            raise BenchmarkError(f"{row.where}: declaration: no function is found in it")
    return Task(
        task_id=row.text("task_id"),
        entry_point=entry_point,
        head=imports + declaration,
        documented_head=prompt,
        canonical_solution=canonical,
        buggy_solution=row.text("buggy_solution"),
        instruction=row.text("instruction"),
        docstring=row.text("docstring"),
        test=test,
        types="" if language == "python" else _types_made_by(canonical, grammar, imports + declaration),
        needs=declaration + canonical + test,
    )


def _is_damaged(grammar: str, declaration: str, prompt: str, canonical: str) -> bool:
    """Tell whether a declaration runs on into the body (CPP/38), or lacks a function of the prompt (Go/38, Go/50)."""
    if parse(grammar, declaration + canonical).has_error and not parse(grammar, prompt + canonical).has_error:
        return True
    return not defined_names(grammar, prompt) <= defined_names(grammar, declaration)


def _types_made_by(canonical: str, grammar: str, head: str) -> str:
    """Return the definitions of types that a declaration names and leaves to its solution (Rust/137)."""
    signature = signature_of(grammar, head)
    named = re.findall(r"\w+", " ".join([signature.result, *(parameter.type for parameter in signature.parameters)]))
    made = find_definitions(grammar, parse(grammar, head + canonical))
    wanted = set(named) - defined_names(grammar, head)
    return "\n".join(item.text for item in made if item.kind in TYPES and item.names & wanted)


def _repair_request(task: Task, dialect: _Dialect) -> str:
    code = _block(dialect, f"{task.head}{task.buggy_solution}\n{task.test}")
    return f"{code}\n\nFix the bugs in `{task.entry_point}`, so that the tests pass."


def _documented_repair_request(task: Task, dialect: _Dialect) -> str:
    code = _block(dialect, task.documented_head + task.buggy_solution)
    return f"{code}\n\nFix the bugs in `{task.entry_point}`, so that it does what its documentation says."


def _description_request(task: Task, dialect: _Dialect) -> str:
    code = _block(dialect, task.head + task.canonical_solution)
    return (
        f"{code}\n\nDescribe in plain words what this code does, in at most {len(task.docstring)} characters. "
        f"Do not use the name `{task.entry_point}`, and write no code."
    )


def _described_request(task: Task, dialect: _Dialect, description: str) -> str:
    without_code = re.sub(r"```.*?(?:```|\Z)", "", without_thoughts(description).answer, flags=re.DOTALL)
    without_name = re.sub(rf"`?\b{re.escape(task.entry_point)}\b`?", "the function", without_code).strip()
    return f"Write a {dialect.name} function by this description:\n\n{without_name}"


def _block(dialect: _Dialect, code: str) -> str:
    return f"```{dialect.grammar}\n{code.strip()}\n```"

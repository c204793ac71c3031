"""MultiPL-E: the tasks of HumanEval in other languages, as the beginnings of programs to be continued.

A sample is a whole program without its tests: `prompt + completion`, where the last function may still lack the brace
that the tests bring along, or a whole function as chat models write it. Whether it is closed is found by parsing.

As upstream: Java with assertions and javatuples, C++17 without NDEBUG, Rust in its default edition (2015) without
crates. As DeepSeek-Coder does: standard headers come before C++ programs, and `<?php` where it is missing.
Unlike upstream, tests and program are two processes (see `native`). Rows whose own text cannot be compiled with any
program fail here as there: HumanEval/137 in C++, whose union has a value for a type.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from evaluation.errors import BenchmarkError
from evaluation.limited_process import ProcessFailed
from evaluation.native import extraction
from evaluation.native.cpp import Cpp
from evaluation.native.definitions import entry_of
from evaluation.native.interpreted import JavaScript, Php
from evaluation.native.java import Java
from evaluation.native.runner import TestedProgram, native_examiner
from evaluation.native.rust import Rust
from evaluation.native.sources import open_braces
from evaluation.native.swift import Swift
from evaluation.native.toolchain import Task as TestedTask
from evaluation.native.toolchain import Toolchain
from evaluation.origins import Origin, find_rows
from evaluation.reading import read, within_limits
from evaluation.rows import Row, content_digest
from evaluation.suite import Examiner, Execution, Prompt, Sample
from evaluation.texts import TaskTexts, texts_of
from evaluation.toolchains import missing_tasks

Language = Literal["java", "js", "cpp", "php", "swift", "rust"]

_SECONDS = 15.0
"""Limit of one program; upstream's lie between 5 and 15 s."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What one language is called, and how its programs are judged."""

    name: str
    """In sentences."""
    grammar: str
    """In `native` and on code blocks."""
    file: str
    """In the data's file names and configurations."""
    toolchain: Callable[[], Toolchain]


_DIALECTS: dict[Language, _Dialect] = {
    "java": _Dialect("Java", "java", "java", partial(Java, "Problem")),
    "js": _Dialect("JavaScript", "javascript", "js", partial(JavaScript, silent=False)),
    "cpp": _Dialect("C++", "cpp", "cpp", Cpp),
    "php": _Dialect("PHP", "php", "php", Php),
    "swift": _Dialect("Swift", "swift", "swift", Swift),
    "rust": _Dialect("Rust", "rust", "rs", partial(Rust, "2015", ())),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One function, in one language."""

    task_id: str
    entry_point: str
    prompt: str
    head: str
    """The prompt as the beginning of a program."""
    tests: str
    """Without the brace that closes the prompt's function."""
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MultiPlESuite:
    """One language."""

    name: str
    version: str
    digest: str
    language: Language
    tasks: Mapping[str, Task]
    texts: Sequence[TaskTexts] = field(repr=False)

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.tasks)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks whose compiler or libraries are not installed."""
        codes = {task_id: task.prompt for task_id, task in self.tasks.items()}
        return missing_tasks(_DIALECTS[self.language].grammar, codes)

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the rest of the program, once."""
        if replies:
            return None
        task, dialect = self.tasks[task_id], _DIALECTS[self.language]
        beginning = f"```{dialect.grammar}\n{task.prompt.rstrip()}"
        request = f"Complete this {dialect.name} program:\n\n{beginning}\n```"
        return Prompt(request, beginning, ("\n```", *task.stop))

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the program's beginning, to go on from, with the data's own stops."""
        task = self.tasks[task_id]
        return Prompt("", task.prompt.rstrip(), task.stop)

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the reply can be read as."""
        task, grammar = self.tasks[task_id], _DIALECTS[self.language].grammar
        how = partial(extraction.extract_readings, grammar, entry_point=task.entry_point, head=task.prompt)
        return read(replies[-1], how)

    def stem(self, task_id: str) -> str:
        """Return the prompt."""
        return self.tasks[task_id].prompt

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Prepare the toolchain and the sandboxes."""
        return native_examiner(_DIALECTS[self.language].toolchain(), execution, self._program)

    def _program(self, sample: Sample) -> TestedProgram:
        task = self.tasks[sample.task_id]
        before = "<?php\n" if self.language == "php" and "<?php" not in sample.solution else ""
        try:
            missing = within_limits(open_braces, _DIALECTS[self.language].grammar, sample.solution)
        except ProcessFailed:
            missing = 0
        program = before + sample.solution + "\n}" * missing
        return TestedProgram(program, TestedTask(task.head, task.tests), _SECONDS)


def load(language: Language, data: str | None) -> MultiPlESuite:
    """Return MultiPL-E in one language.

    Raises:
        BenchmarkError: the data cannot be used.
    """
    dialect = _DIALECTS[language]
    file = f"humaneval-{dialect.file}"
    rows = find_rows(Origin((f"{file}.jsonl",), hub="nuprl/MultiPL-E", config=file), data)
    tasks = [_read_task(row, dialect) for row in rows.rows]
    version = f"MultiPL-E, HumanEval in {dialect.name}, {len(tasks)} tasks"
    return MultiPlESuite(
        name=f"multipl_e_{language}",
        version=version,
        digest=content_digest(rows.rows),
        language=language,
        tasks={task.task_id: task for task in tasks},
        texts=texts_of(rows.rows, "multipl_e"),
    )


def _read_task(row: Row, dialect: _Dialect) -> Task:
    prompt, tests = row.text("prompt"), row.text("tests")
    stop = row.fields.get("stop_tokens")
    if not isinstance(stop, list) or not all(isinstance(token, str) and token for token in stop):
        raise BenchmarkError(f"{row.where}: stop_tokens: must be a list of texts")
    entry_point = entry_of(dialect.grammar, prompt)
    if not entry_point:
        raise BenchmarkError(f"{row.where}: prompt: does not end inside a function")
    # where the tests open fewer braces than they close, the first one closes the function
    closes = open_braces(dialect.grammar, tests) < 0 and tests.lstrip().startswith("}")
    head = f"<?php\n{prompt}" if dialect.grammar == "php" and "<?php" not in prompt else prompt
    return Task(row.text("name"), entry_point, prompt, head, tests.lstrip()[1:] if closes else tests, tuple(stop))

"""BigCodeBench: functions that use many libraries, judged by unit tests (Python's `unittest`) of the row.

Enters: the published rows (v0.1.4 and others). Leaves: verdicts on whole programs. A prompt is the row's
`instruct_prompt`, or, of `bigcodebench_complete`, the docstring of `complete_prompt`, to go on from. Libraries come
from the interpreter that `evaluate.python` names, else from this one; a task whose libraries are not there is not
measured.

Tests put stand-ins into modules that the solution uses, and look at the figures and frames that it returns. So, as for
DS-1000, a solution shares a process with what judges it; see `scripts` for what that means. Leaving early, catching
failures and tests that are not run are no pass; patching `unittest` itself would be one. Tests that need a network or
other processes fail in the sandbox, whatever the solution.
"""

import ast
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError
from evaluation.interpreter import missing_modules
from evaluation.origins import Origin, find_rows
from evaluation.reading import read
from evaluation.rows import Row, content_digest
from evaluation.sandbox_process import Runtime
from evaluation.sanitize import extract_readings
from evaluation.scripts import Script, script_examiner
from evaluation.suite import FUNCTION_ENDS, Examiner, Execution, Prompt, Sample
from evaluation.syntax import NO_PROGRAM, read_tree
from evaluation.texts import TaskTexts, texts_of

_FILES = ("BigCodeBench.jsonl", "bigcodebench.jsonl", "v0.1.4-00000-of-00001.parquet")
_ORIGIN = Origin(
    _FILES, "bigcode/bigcodebench", split="v0.1.4", download="bigcode/bigcodebench on the Hugging Face hub"
)
_SECONDS = 240.0
"""As upstream, but of CPU time."""
_REMEDY = "install it into an environment of its own and name that one's interpreter (evaluate.python)"
_ENVIRONMENT = {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_FENCE = "```python\n"
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)
_PRELOAD = ("unittest.mock", "pandas", "numpy", "matplotlib.pyplot", "scipy.stats", "sklearn.linear_model", "seaborn")
"""What most rows import; loaded once, as far as it is there."""
_BEFORE = """
import unittest as _unittest


def NAME(cases, load=_unittest.TestLoader().loadTestsFromTestCase, result=_unittest.TestResult()):
    suites = list(map(load, cases))
    wanted = sum(suite.countTestCases() for suite in suites)
    for suite in suites:
        suite.run(result)
    for test, trace in (*result.failures, *result.errors):
        raise AssertionError(f"{test}: {trace.strip().splitlines()[-1]}"[:300])
    done = result.testsRun - len(result.skipped)  # a solution may raise what skips a test
    if not wanted or done != wanted or not result.wasSuccessful():
        raise AssertionError(f"{done} of {wanted} tests were run to their end, or one passed that was not to")
"""
"""Defined before the solution runs, under a name that is made up for each run."""


@dataclass(frozen=True, slots=True)
class BigCodeBench:
    """The tasks of a file, asked in one of the two ways."""

    rows: Mapping[str, Row]
    digest: str
    version: str
    name: str
    texts: Sequence[TaskTexts] = field(repr=False)

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.rows)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks whose libraries the interpreter lacks."""
        python = execution.python or Path(sys.executable)
        needed = {task_id: _libraries(row) for task_id, row in self.rows.items()}
        missing = set(missing_modules(python, sorted(set().union(*needed.values()))))
        return {
            task_id: f"{python} lacks {', '.join(sorted(names & missing))}: {_REMEDY}"
            for task_id, names in needed.items()
            if names & missing
        }

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the whole program, once; the reply begins with the code that is given."""
        if replies:
            return None
        row = self.rows[task_id]
        if self.name == "bigcodebench":
            return Prompt(row.text("instruct_prompt"), _FENCE + row.text("code_prompt").rstrip(), ("```",))
        stub = row.text("complete_prompt").rstrip()
        return Prompt(f"Write a solution to the following problem:\n\n{_FENCE}{stub}\n```", _FENCE + stub, ("```",))

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the function's head and docstring, to go on from."""
        return Prompt("", f"{self.rows[task_id].text('complete_prompt').strip()}\n", FUNCTION_ENDS)

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the reply can be read as."""
        row = self.rows[task_id]
        how = partial(extract_readings, entry_point=row.text("entry_point"), prompt=self.stem(task_id))
        return read(replies[-1], how)

    def stem(self, task_id: str) -> str:
        """Return the code that is given."""
        return self.rows[task_id].text("code_prompt" if self.name == "bigcodebench" else "complete_prompt")

    def reference(self, task_id: str) -> str:
        """Return the canonical solution, as a whole program."""
        row = self.rows[task_id]
        return row.text("complete_prompt") + row.text("canonical_solution")

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Open the sandboxes."""
        python = execution.python or Path(sys.executable)
        absent = set(missing_modules(python, [name.partition(".")[0] for name in _PRELOAD]))
        preload = tuple(name for name in _PRELOAD if name.partition(".")[0] not in absent)
        return script_examiner(execution, self._script, Runtime(python, preload, _ENVIRONMENT, threads=True))

    def _script(self, sample: Sample) -> Script:
        row = self.rows[sample.task_id]
        tests = row.text("test")
        judge = f"judge_{secrets.token_hex(16)}"
        end = f"{judge}([{', '.join(_cases(row))}])"
        future = "".join(_FUTURE.findall(sample.solution))
        solution = _FUTURE.sub("", sample.solution)
        return Script("", "\n".join([future + _BEFORE.replace("NAME", judge), solution, tests, end]), _SECONDS)


def _libraries(row: Row) -> set[str]:
    """Return the top-level modules that a task needs: those that it names, and those that its tests import."""
    named = row.fields.get("libs")
    try:
        libraries: Any = ast.literal_eval(named) if isinstance(named, str) else named
        found = {str(name).partition(".")[0] for name in libraries}
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise BenchmarkError(f"{row.where}: libs: must be a list of modules, not {str(named)[:80]!r}") from None
    for node in ast.walk(_tree(row)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _cases(row: Row) -> list[str]:
    """Return the names of the classes of tests."""
    return [node.name for node in _tree(row).body if isinstance(node, ast.ClassDef) and node.bases]


def _tree(row: Row) -> ast.Module:
    try:
        return read_tree(row.text("test"))
    except NO_PROGRAM as error:
        raise BenchmarkError(f"{row.where}: test: is no Python: {error}") from None


def load(kind: str, data: str | None) -> BigCodeBench:
    """Return the suite from a file, a folder, or the hub.

    Args:
        kind: `instruct` or `complete`.
        data: file or folder; None: the hub.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    found = find_rows(_ORIGIN, data)
    tasks: dict[str, Row] = {}
    for row in found.rows:
        for name in ("complete_prompt", "instruct_prompt", "code_prompt", "canonical_solution", "test", "entry_point"):
            row.text(name)
        _libraries(row)
        if not _cases(row):
            raise BenchmarkError(f"{row.where}: test: has no class of tests, so nothing would be tested")
        if row.text("task_id") in tasks:
            raise BenchmarkError(f"{row.where}: task_id: {row.text('task_id')!r} is there twice")
        tasks[row.text("task_id")] = row
    digest = content_digest(found.rows)
    name = "bigcodebench" if kind == "instruct" else "bigcodebench_complete"
    return BigCodeBench(
        tasks, digest, f"BigCodeBench {kind} (SHA-256 {digest[:12]})", name, texts_of(found.rows, "bigcodebench")
    )

"""EditEval (the InstructCoder paper): code and what to change about it, judged by the task's tests.

A sample is the edited code. It takes the place of every `{{Code}}` of the task's context, as plain text, as upstream:
some contexts hold it a second time inside a string that their tests read, and code with quotes or escapes can break
that string.

Eight tests time the solution against a slow one. They read the CPU clock here, for with the wall clock unedited code
passes now and then on a busy machine. Four are steadied, see `_STEADIED` and `_SEVERAL_ATTEMPTS`. All else is as
upstream. `urllib.parse` is loaded beforehand, as in any harness that imports much: the reference of EditEval/188 fails
where nothing has loaded it.
"""

import ast
import importlib.util
import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from evaluation.fences import code_blocks
from evaluation.origins import Origin, find_rows
from evaluation.rows import Row, content_digest
from evaluation.sandbox_process import Runtime
from evaluation.scripts import Script, script_examiner
from evaluation.suite import Examiner, Execution, Prompt, Sample
from evaluation.texts import TaskTexts, texts_of
from evaluation.thoughts import without_thoughts
from evaluation.top_level import find_statements

_ORIGIN = Origin(("edit_eval.jsonl",), download="https://github.com/qishenghu/CodeInstruct (folder edit_eval)")
_MARKER = "{{Code}}"
_SECONDS = 3.0
"""As upstream, but of CPU time, and more where the reference needs it here (see `Script.reference`)."""
_WALL_CLOCK, _CPU_CLOCK = "time.time()", "time.process_time()"
_STEADIED = {
    "EditEval/141": ("sum(slow_durations) * 0.9", "sum(slow_durations) * 0.5"),
    "EditEval/159": ("slow_durations * 0.95", "slow_durations * 0.5"),
    "EditEval/161": ("sum(fast_durations)*100 < sum(slow_", "min(fast_durations)*100 < min(slow_"),
}
"""Ask for 90 or 95% of the slow one's time, which unedited code may take: the tests' own functions are a little slower
here than a program's where they use built-in ones. The references take 1% of it and less, so half of it is asked for;
that of EditEval/161 takes 65%, so the least of the timings is taken there, not the sum."""
_SEVERAL_ATTEMPTS = {"EditEval/156"}
"""Asks for 90% of the slow one's time, which is just what the reference takes; unedited code fails here by its text."""
_ATTEMPTS = """
for _attempts_left in reversed(range(8)):
    try:
        check()
        break
    except AssertionError:
        if not _attempts_left:
            raise
"""
_ATTEMPTS_SECONDS = 10.0
_EDITED_CODE = re.compile(r"""^edited_code = (r?(\"{3}|'{3}).*?\2)""", re.MULTILINE | re.DOTALL)
_FENCE = "```python\n"


@dataclass(frozen=True, slots=True)
class EditEval:
    """The 194 tasks."""

    rows: Mapping[str, Row]
    digest: str
    texts: Sequence[TaskTexts] = field(repr=False)
    name: str = "editeval"
    version: str = "EditEval (2024)"

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.rows)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks that need numpy, where it is not installed."""
        if importlib.util.find_spec("numpy") is not None:
            return {}
        return {
            task_id: "needs numpy: pip install numpy"
            for task_id, row in self.rows.items()
            if any("import numpy" in str(value) for value in row.fields.values())
        }

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the edited code, once."""
        if replies:
            return None
        row = self.rows[task_id]
        code = row.text("input").rstrip("\n")
        request = (
            f"{row.text('instruction').strip()}\n\nHere is the code:\n\n{_FENCE}{code}\n```\n\n"
            "Reply with the whole edited code in one code block."
        )
        return Prompt(request, _FENCE, ("```",))

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the edited code in the reply, indented as the input is.

        Of several code blocks it is the last that defines something the input defines, else the first.
        """
        given, answer = self.rows[task_id].text("input"), without_thoughts(replies[-1]).answer
        blocks = code_blocks(answer) or [answer]
        edited = [block for block in blocks if _defined(block) & _defined(given)]
        return _indented_like(given, edited[-1] if edited else blocks[0])

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the edited code alone: nothing is taken out of it."""
        return [self.extract(task_id, replies)]

    def stem(self, task_id: str) -> str:
        """Return nothing: a completion is the edited code."""
        return ""

    def reference(self, task_id: str) -> str:
        """Return the reference solution."""
        return self.rows[task_id].text("output")

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Open the sandboxes."""
        return script_examiner(execution, self._script, Runtime(preload=("urllib.parse",)))

    def _script(self, sample: Sample) -> Script:
        row = self.rows[sample.task_id]
        context = row.fields.get("context") or ""
        context = context if _MARKER in context else f"{context}\n{_MARKER}"
        code, reference = (context.replace(_MARKER, text) for text in (sample.solution, row.text("output")))
        test = row.text("test").replace(_WALL_CLOCK, _CPU_CLOCK).replace(*_STEADIED.get(sample.task_id, ("", "")))
        test = _with_text(context, sample.solution) + test
        if sample.task_id in _SEVERAL_ATTEMPTS:
            return Script(code, test + _ATTEMPTS, _ATTEMPTS_SECONDS, reference)
        return Script(code, test + "\ncheck()\n", _SECONDS, reference)


def _with_text(context: str, solution: str) -> str:
    """Return what gives the tests the text of the edited code, as the context has it, whatever the program says.

    Text that breaks the context's string is left to the context.
    """
    found = _EDITED_CODE.search(context)
    try:
        text = ast.literal_eval(found[1].replace(_MARKER, solution)) if found else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        text = None
    return f"edited_code = {text!r}\n" if isinstance(text, str) else ""


def _defined(code: str) -> set[str]:
    return {name for statement in find_statements(textwrap.dedent(code)) for name in statement.binds}


def _indented_like(given: str, code: str) -> str:
    """Return `code` with the indentation of `given`, such as that of a method, where it has none."""
    first, depth = (
        next((line[: len(line) - len(line.lstrip())] for line in text.splitlines() if line.strip()), "")
        for text in (code, given)
    )
    return code if first else textwrap.indent(code, depth)


def load(data: str | None) -> EditEval:
    """Return the suite from a file or a folder.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    rows = find_rows(_ORIGIN, data).rows
    for row in rows:
        for name in ("instruction", "input", "output", "test"):
            row.text(name)
    return EditEval({row.text("task_id"): row for row in rows}, content_digest(rows), texts_of(rows, "editeval"))

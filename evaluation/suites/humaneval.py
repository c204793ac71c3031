"""HumanEval as OpenAI published it: one function to complete, judged by the task's own `check`.

`humaneval_plus` has the same tasks with many more inputs. A sample is a whole program, which runs after the prompt's,
as upstream. Three tests call a helper that the prompt defines; theirs is that of the prompt, whatever the program says.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from evaluation.origins import Origin, find_rows
from evaluation.reading import read
from evaluation.rows import Row, content_digest
from evaluation.sanitize import extract_readings
from evaluation.scripts import Script, script_examiner, with_helpers
from evaluation.suite import FUNCTION_ENDS, Examiner, Execution, Prompt, Sample
from evaluation.texts import TaskTexts, texts_of

_ORIGIN = Origin(
    ("HumanEval.jsonl",), "openai/openai_humaneval", download="https://github.com/openai/human-eval (data folder)"
)
_SECONDS = 3.0
"""As upstream, but of CPU time, and more where the canonical solution needs it here (see `Script.reference`)."""
_FENCE = "```python\n"
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HumanEval:
    """The 164 tasks with their base tests."""

    rows: Mapping[str, Row]
    digest: str
    texts: Sequence[TaskTexts] = field(repr=False)
    name: str = "humaneval"
    version: str = "HumanEval (2021)"

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.rows)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return nothing: Python is always there."""
        return {}

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the whole function, once; the reply begins with its head."""
        if replies:
            return None
        stub = self.rows[task_id].text("prompt").rstrip()
        request = f"Write a solution to the following problem:\n\n{_FENCE}{stub}\n```"
        return Prompt(request, _FENCE + stub, ("```",))

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the function's head and docstring, to go on from."""
        return Prompt("", f"{self.rows[task_id].text('prompt').strip()}\n", FUNCTION_ENDS)

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the reply can be read as."""
        row = self.rows[task_id]
        how = partial(extract_readings, entry_point=row.text("entry_point"), prompt=row.text("prompt"))
        return read(replies[-1], how)

    def stem(self, task_id: str) -> str:
        """Return the prompt."""
        return self.rows[task_id].text("prompt")

    def reference(self, task_id: str) -> str:
        """Return the canonical solution, as a whole program."""
        row = self.rows[task_id]
        return row.text("prompt") + row.text("canonical_solution")

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Open the sandboxes."""
        return script_examiner(execution, self._script)

    def _script(self, sample: Sample) -> Script:
        row = self.rows[sample.task_id]
        prompt, entry_point = row.text("prompt"), row.text("entry_point")
        tests = with_helpers(prompt, entry_point, f"{row.text('test')}\ncheck({entry_point})\n")
        return Script(_after(prompt, sample.solution), tests, _SECONDS, self.reference(sample.task_id))


def _after(prompt: str, program: str) -> str:
    """Return one program of both, `__future__` imports first, where alone they may stand."""
    return "".join([*_FUTURE.findall(program), prompt.rstrip(), "\n\n", _FUTURE.sub("", program)])


def load(data: str | None) -> HumanEval:
    """Return the suite from a file, a folder, or the hub.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    rows = find_rows(_ORIGIN, data).rows
    for row in rows:
        for name in ("prompt", "entry_point", "canonical_solution", "test"):
            row.text(name)
    return HumanEval({row.text("task_id"): row for row in rows}, content_digest(rows), texts_of(rows, "humaneval"))

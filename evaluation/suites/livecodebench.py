"""LiveCodeBench, code generation: contest problems with their dates, judged by what a program prints or returns.

Enters: the published files (`code_generation_lite`: test.jsonl, test2.jsonl, ...), or one file of such rows. Leaves:
verdicts. A problem is a program from standard input to standard output, or a method of `Solution`. Expected outputs
never enter the sandbox; they are compared outside, line by line or as values of JSON, without any tolerance, as
upstream. All tests of a row count, public and hidden. Differs from upstream: the limit of six seconds for a test is of
CPU time.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from evaluation.comparison_process import Comparer, Expectation
from evaluation.contest_problems import ContestProblem, read_contest_problems, tests_of
from evaluation.errors import BenchmarkError
from evaluation.execution import RunProgram, open_sandbox
from evaluation.fences import code_blocks
from evaluation.judging import check_task_ids, run_checked
from evaluation.oracles import PRINTED, SAME_JSON
from evaluation.programs import Program, ResourceLimits
from evaluation.reading import read
from evaluation.sanitize import extract_readings
from evaluation.stdin_program import ENTRY_POINT, from_standard_input
from evaluation.suite import Examiner, Execution, Prompt, Sample, Verdict
from evaluation.texts import TaskTexts
from evaluation.thoughts import without_thoughts
from evaluation.values import encode

_DOWNLOAD = (
    "livecodebench: name its files with `data` (--data): the folder that `hf download "
    "livecodebench/code_generation_lite --repo-type dataset --local-dir code_generation_lite` makes, or one file of it"
)
_FOLDER = "code_generation_lite"
"""As the command above names it; it may lie in a folder with the files of other suites."""
_FILE = re.compile(r"test(\d*)\.jsonl")
_SECONDS = 6.0
"""For one test, as upstream, but of CPU time."""
_LIMITS = ResourceLimits(file_bytes=1 << 28, scratch_bytes=1 << 29)
"""The largest inputs are some tens of MB, and stand in a file."""
_FENCE = "```python\n"
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)
_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
"""What programs find imported, each whole and by name; in this order the names of `builtins` win, as upstream."""
_IMPORTS = "".join(f"from {name} import *\nimport {name}\n" for name in _MODULES) + "sys.setrecursionlimit(50000)\n"
_CALL = "\n\ndef answer_of_candidate(*arguments):\n    return {function}(*arguments)\n"


@dataclass(frozen=True, slots=True)
class LiveCodeBench:
    """The problems of some files."""

    tasks: Mapping[str, ContestProblem]
    digest: str
    version: str
    texts: Sequence[TaskTexts] = field(repr=False)
    name: str = "livecodebench"

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.tasks)

    @property
    def dates(self) -> Mapping[str, str]:
        """Task -> date of its contest."""
        return {task_id: task.date for task_id, task in self.tasks.items()}

    def group(self, task_id: str) -> Mapping[str, str]:
        """Return the task's `difficulty` and `platform`."""
        task = self.tasks[task_id]
        return {"difficulty": task.difficulty, "platform": task.platform}

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks whose hidden tests are not in a form that can be read."""
        return {task_id: task.unreadable for task_id, task in self.tasks.items() if task.unreadable}

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the program, once."""
        if replies:
            return None
        task = self.tasks[task_id]
        if task.starter.strip():
            how = f"Write the whole class in Python, beginning with this code:\n\n{_FENCE}{task.starter.rstrip()}\n```"
        else:
            how = "Write a Python program that reads from standard input and prints to standard output."
        return Prompt(f"Solve this problem.\n\n{task.question.strip()}\n\n{how}", _FENCE, ("```",))

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return what the reply can be read as: the class, or, of a program, the last block of code as it stands."""
        if self.tasks[task_id].function:
            return read(replies[-1], partial(extract_readings, entry_point="Solution", prompt=""))
        return read(replies[-1], _last_block)

    def stem(self, task_id: str) -> str:
        """Return nothing: a sample is the program."""
        return ""

    @contextmanager
    def examiner(self, execution: Execution) -> Iterator[Examiner]:
        """Open the sandbox; the tests of a task are read when one of its samples is judged."""
        with open_sandbox(execution, limits=_LIMITS) as sandbox, Comparer() as comparer:

            def examine(samples: Sequence[Sample], /) -> Iterator[Verdict]:
                check_task_ids(self.tasks, samples)
                yield from sandbox.each(samples, lambda sample, run: self._judge(sample, run, comparer))

            yield examine

    def _judge(self, sample: Sample, run: RunProgram, comparer: Comparer) -> Verdict:
        task = self.tasks[sample.task_id]
        inputs, expected = tests_of(task)
        entry_point = "answer_of_candidate" if task.function else ENTRY_POINT
        limits = [_SECONDS] * len(inputs)
        program = Program(_program(sample.solution, task.function), entry_point, inputs, limits, sum(limits))
        outputs = tuple(encode(value).encode("ascii") for value in expected)
        rule = SAME_JSON if task.function else PRINTED
        failure, seconds = run_checked(program, Expectation(outputs, inputs, 0.0, rule), run, comparer)
        reason, detail = failure or (None, "")
        return Verdict(sample.task_id, sample.index, failure is None, None, reason, detail, seconds)


def _program(solution: str, function: str) -> str:
    """Return what the sandbox runs."""
    future = "".join(_FUTURE.findall(solution))
    whole = f"{future}{_IMPORTS}\n{_FUTURE.sub('', solution)}"
    if not function:
        return from_standard_input(whole)
    return whole + _CALL.format(function=f"Solution().{function}" if "class Solution" in solution else function)


def _last_block(reply: str) -> list[str]:
    answer = without_thoughts(reply.replace("\r\n", "\n")).answer
    blocks = [block for block in code_blocks(answer) if block.strip()]
    return [blocks[-1] if blocks else answer]


def load(data: str | None) -> LiveCodeBench:
    """Return the suite from a file, or from a folder with test.jsonl, test2.jsonl and so on.

    Raises:
        BenchmarkError: nothing is named, or a row does not say what is needed; the message gives file, line and field.
    """
    if data is None:
        raise BenchmarkError(_DOWNLOAD)
    files = _files(Path(data))
    tasks: dict[str, ContestProblem] = {}
    digest = hashlib.sha256()
    for path in files:
        try:
            for task, line in read_contest_problems(path):
                if task.task_id in tasks:
                    raise BenchmarkError(f"{task.where}: question_id: {task.task_id!r} is there twice")
                tasks[task.task_id] = task
                digest.update(line)
        except OSError as error:
            raise BenchmarkError(f"{path}: cannot be read: {error.strerror}; {_DOWNLOAD}") from None
    if not tasks:
        raise BenchmarkError(f"{data}: holds no rows")
    texts = [
        TaskTexts(name, (task.question,), tuple(filter(str.strip, [task.starter]))) for name, task in tasks.items()
    ]
    return LiveCodeBench(tasks, digest.hexdigest(), _version(files, digest.hexdigest()), texts)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    path = path / _FOLDER if (path / _FOLDER).is_dir() else path
    found = {int(match[1] or 1): each for each in path.iterdir() if (match := _FILE.fullmatch(each.name))}
    if not found:
        raise BenchmarkError(f"{path}: holds no test.jsonl; {_DOWNLOAD}")
    return [found[number] for number in sorted(found)]


def _version(files: Sequence[Path], digest: str) -> str:
    names = [path.name for path in files]
    whole = [f"test{number if number > 1 else ''}.jsonl" for number in range(1, len(files) + 1)]
    release = f"release_v{len(files)}" if names == whole and len(files) > 1 else ", ".join(names)
    return f"LiveCodeBench {release} (SHA-256 {digest[:12]})"

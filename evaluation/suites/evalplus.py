"""HumanEval+ and MBPP+ (EvalPlus), and our own mini set in the same format.

A sample is a whole program, as in EvalPlus's own JSONL. Greedy answers begin inside a code block: for HumanEval+ with
the prompt's function head, for MBPP+, whose prompt is a description and one assertion, with nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from evaluation.errors import BenchmarkError
from evaluation.execution import open_sandbox
from evaluation.judging import judge_samples
from evaluation.mbpp_inputs import convert_arguments
from evaluation.oracles import HUMANEVAL_ORACLES, MBPP_ORACLES, Oracle
from evaluation.origins import Origin, find_rows
from evaluation.problems import MINI_PATH, Problem, read_problems
from evaluation.reading import read
from evaluation.reference import References
from evaluation.rows import Rows, content_digest, read_file
from evaluation.sanitize import extract_readings
from evaluation.suite import FUNCTION_ENDS, PROGRAM_ENDS, Examiner, Execution, Prompt
from evaluation.texts import TaskTexts, texts_of

_FENCE = "```python\n"
_RELEASES = "https://github.com/evalplus/{}/releases"
_HUMANEVAL = Origin(("HumanEvalPlus.jsonl",), download=_RELEASES.format("humanevalplus_release"))
_MBPP = Origin(("MbppPlus.jsonl",), download=_RELEASES.format("mbppplus_release"))

# MD5 of the unpacked release files, as in the `hash` field of EvalPlus's result files.
_VERSIONS = {
    "fe585eb4df8c88d844eeb463ea4d0302": "HumanEval+ v0.1.10",
    "84f4b93a1270b492e4c54d5212da7a5b": "HumanEval+ v0.1.9",
    "ee43ecabebf20deef4bb776a405ac5b1": "MBPP+ v0.2.0",
    "ebe95df0d5220f00cedd6f4bddea35e4": "MBPP+ v0.1.0",
}


@dataclass(frozen=True, slots=True)
class EvalPlusSuite:
    """Functions to write, judged by their outputs on base and plus inputs."""

    name: str
    version: str
    digest: str
    problems: Mapping[str, Problem]
    texts: Sequence[TaskTexts] = field(repr=False)

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.problems)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return nothing: Python is always there."""
        return {}

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the program, once."""
        if replies:
            return None
        stub = self.problems[task_id].prompt.rstrip()
        request = f"Write a solution to the following problem:\n\n{_FENCE}{stub}\n```"
        return Prompt(request, self.beginning(task_id), ("```",))

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the prompt, to go on from."""
        problem = self.problems[task_id]
        ends = FUNCTION_ENDS if f"def {problem.entry_point}" in problem.prompt else PROGRAM_ENDS
        return Prompt("", f"{problem.prompt.strip()}\n", ends)

    def call(self, task_id: str, number: int) -> str:
        """Return the call that an input stands for, numbered from 0 as verdicts tell it; "" where there is none."""
        problem = self.problems[task_id]
        inputs = (*problem.base_input, *problem.plus_input)
        if number >= len(inputs):
            return ""
        return f"{problem.entry_point}({', '.join(map(repr, inputs[number]))})"

    def beginning(self, task_id: str) -> str:
        """Return how a program for the task begins, in its code block."""
        problem = self.problems[task_id]
        has_head = f"def {problem.entry_point}" in problem.prompt
        return _FENCE + problem.prompt.rstrip() if has_head else _FENCE

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the program in the reply."""
        return self.readings(task_id, replies)[0]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the programs that the reply can be read as."""
        problem = self.problems[task_id]
        how = partial(extract_readings, entry_point=problem.entry_point, prompt=problem.prompt)
        return read(replies[-1], how)

    def stem(self, task_id: str) -> str:
        """Return the prompt."""
        return self.problems[task_id].prompt

    def reference(self, task_id: str) -> str:
        """Return the canonical solution, as a whole program."""
        problem = self.problems[task_id]
        has_head = f"def {problem.entry_point}" in problem.prompt
        return problem.prompt + problem.canonical_solution if has_head else problem.canonical_solution.strip()

    def second_prompt(self, task_id: str, instruction: str, first: str) -> Prompt:
        """Return what asks for y' = M(x'): an instruction of the model's own, and the name that its tests know."""
        return Prompt(instruction, _FENCE + self._head(task_id, first), ("```",))

    def extract_second(self, task_id: str, first: str, reply: str) -> str:
        """Return y' in the reply; `first` is y."""
        entry_point, head = self.problems[task_id].entry_point, self._head(task_id, first)
        return read(reply, partial(extract_readings, entry_point=entry_point, prompt=head))[0]

    def _head(self, task_id: str, first: str) -> str:
        """Return the program up to the end of the entry point's `def` line: imports and names, no docstring.

        It is the prompt's, or y's where the prompt has none.
        """
        problem = self.problems[task_id]
        if f"def {problem.entry_point}(" in problem.prompt:
            return "\n".join(_lines_to_head(problem.prompt, problem.entry_point))
        return "\n".join(_lines_to_head(first, problem.entry_point, alone=True))

    @contextmanager
    def examiner(self, execution: Execution) -> Iterator[Examiner]:
        """Open the sandboxes; expected outputs are computed when a task's first sample comes."""
        # the trusted one is closed first: threads of the other may still wait for it
        with open_sandbox(execution) as sandbox, open_sandbox(execution) as trusted:
            references = References(trusted, execution.references)
            yield lambda samples: judge_samples(self.problems, samples, references, sandbox)


def _lines_to_head(program: str, entry_point: str, *, alone: bool = False) -> list[str]:
    """Return the lines up to the end of the entry point's `def` line, or that line `alone` (it may span several)."""
    lines = program.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(f"def {entry_point}(")), 0)
    end = next((number for number in range(start, len(lines)) if lines[number].rstrip().endswith(":")), start)
    return lines[start if alone else 0 : end + 1]


def load_mini(data: str | None = None) -> EvalPlusSuite:
    """Return our own 32 problems, or those of a file in the same format.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    return _suite("mini", find_rows(_HUMANEVAL, data) if data else read_file(MINI_PATH))


def load_humaneval_plus(data: str | None) -> EvalPlusSuite:
    """Return HumanEval+ (any release, also the reduced one).

    Raises:
        BenchmarkError: the file cannot be used.
    """
    suite = _suite("humaneval_plus", find_rows(_HUMANEVAL, data))
    return replace(suite, problems=_with_oracles(suite.problems, HUMANEVAL_ORACLES))


def load_mbpp_plus(data: str | None) -> EvalPlusSuite:
    """Return MBPP+ (any release), its inputs with the types that JSON has lost.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    suite = _suite("mbpp_plus", find_rows(_MBPP, data))
    problems = {task: _with_types(problem) for task, problem in suite.problems.items()}
    return replace(suite, problems=_with_oracles(problems, MBPP_ORACLES))


def _suite(name: str, rows: Rows) -> EvalPlusSuite:
    problems = read_problems(rows)
    version = _VERSIONS.get(rows.md5, f"{name}, file with MD5 {rows.md5}")
    by_id = {item.task_id: item for item in problems}
    return EvalPlusSuite(name, version, content_digest(rows.rows), by_id, texts_of(rows.rows, name))


def _with_oracles(problems: Mapping[str, Problem], oracles: Mapping[str, Oracle]) -> dict[str, Problem]:
    return {
        task: replace(item, oracle=item.entry_point) if item.entry_point in oracles else item
        for task, item in problems.items()
    }


def _with_types(problem: Problem) -> Problem:
    try:
        number = int(problem.task_id.rpartition("/")[2])
        base, plus = (
            tuple(convert_arguments(number, arguments) for arguments in part)
            for part in (problem.base_input, problem.plus_input)
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{problem.task_id}: its inputs are not those of this MBPP task: {error}") from None
    return replace(problem, base_input=base, plus_input=plus)

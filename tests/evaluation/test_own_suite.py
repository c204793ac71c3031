"""A suite from a file of one's own: judged as its rows say, and refused with the place where they do not say enough."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites import SUITES, describe_suite
from inverse_instruct.system.root import ROOT

PAGE = (ROOT / "docs/own-suite.md").read_text()
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
SHOWN = [[json.loads(line) for line in block.splitlines()] for block in BLOCKS]
SQUARES = "def squares(numbers):\n    return sum(n * n for n in numbers)\n"
INITIALS = "def initials(name):\n    return ''.join(w[0].upper() for w in name.split())\n"


def suite_of(folder: Path, rows: list[dict[str, Any]]) -> Any:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SUITES["own"](str(path))


def passed(suite: Any, *programs: str) -> list[bool]:
    """Return the verdicts of a program for each task."""
    samples = [Sample(task, 0, program) for task, program in zip(suite.task_ids, programs, strict=True)]
    with suite.examiner(Execution(workers=1)) as examine:
        verdicts = {verdict.task_id: verdict.passed for verdict in examine(samples)}
    return [verdicts[task] for task in suite.task_ids]


def test_the_page_shows_files_that_work(tmp_path: Path) -> None:
    inputs, tests, _ = SHOWN
    suite = suite_of(tmp_path, inputs)
    assert list(suite.task_ids) == ["own/1", "own/2"]
    assert passed(suite, SQUARES, INITIALS) == [True, True]
    assert passed(suite, SQUARES.replace("n * n", "n"), INITIALS.replace(".upper()", "")) == [False, False]
    suite = suite_of(tmp_path, tests)
    assert passed(suite, SQUARES) == [True] and passed(suite, SQUARES.replace("n * n", "n")) == [False]
    assert passed(suite, "def squares(numbers):\n    raise SystemExit(0)\n") == [False]


PROMPTS = {
    "words": 'Add \'two\' """numbers""" \\ \n\nboth given',
    "head": 'def add(a, b):\n    """Add."""\n',
}
SOLUTIONS = {
    "rest": "    return a + b\n",
    "function": "def add(a, b):\n    return a + b\n",
    "program": "import operator\n\n\ndef add(a, b):\n    return operator.add(a, b)\n",
}


@pytest.mark.parametrize("kind", ["inputs", "tests"])
@pytest.mark.parametrize(
    ("prompt", "solution"), [(p, s) for p in PROMPTS for s in SOLUTIONS if (p, s) != ("words", "rest")]
)
def test_prompts_and_solutions_in_every_form(tmp_path: Path, kind: str, prompt: str, solution: str) -> None:
    row: dict[str, Any] = {"prompt": PROMPTS[prompt], "entry_point": "add", "canonical_solution": SOLUTIONS[solution]}
    row |= {"inputs": [[1, 2], [3, 4]]} if kind == "inputs" else {"tests": "assert add(1, 2) == 3"}
    suite = suite_of(tmp_path, [row | {"task_id": "mine"}])
    if kind == "inputs":
        problem = suite.problems["mine"]
        canonical = problem.prompt + problem.canonical_solution
    else:
        canonical = suite.reference("mine")
    assert passed(suite, canonical) == [True]
    reply = "```python\ndef add(a, b):\n    return b + a\n```"
    assert passed(suite, suite.extract("mine", [reply])) == [True]
    assert passed(suite, suite.extract("mine", [reply.replace("+", "-")])) == [False]
    asked = suite.prompt("mine", [])
    assert "add" in asked.request and suite.texts[0].prose


GOOD: dict[str, Any] = {"prompt": "Double it.", "entry_point": "double", "tests": "assert double(2) == 4"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([GOOD | {"tests": None}], "mine.jsonl:1: needs either `inputs`.*and has neither"),
        ([GOOD | {"inputs": [[1]]}], "has inputs and tests"),
        ([GOOD, {**GOOD, "tests": [], "inputs": [[1]], "canonical_solution": "x"}], "make a file of each kind"),
        ([GOOD | {"tests": "assert ("}], "mine.jsonl:1: tests: are no Python"),
        ([GOOD | {"tests": "assert True"}], "tests: never call double"),
        ([GOOD | {"tests": [1]}], "tests: must be text"),
        ([GOOD | {"entry_point": "a b"}], "entry_point: 'a b' is no name"),
        ([GOOD | {"prompt": 3}], "mine.jsonl:1: prompt"),
        ([GOOD | {"task_id": "x"}, GOOD | {"task_id": "x"}], "mine.jsonl:2: task_id: 'x' is there twice"),
        ([{**GOOD, "tests": [], "inputs": [1], "canonical_solution": "x"}], "base_input: must be a list of argument"),
        ([{**GOOD, "tests": [], "inputs": [[1]]}], "canonical_solution"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, rows: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BenchmarkError, match=told):
        suite_of(tmp_path, rows)


def test_a_file_has_to_be_named() -> None:
    with pytest.raises(BenchmarkError, match="name your file"):
        SUITES["own"](None)


def test_every_suite_says_what_it_is() -> None:
    assert all(describe_suite(name) for name in SUITES)

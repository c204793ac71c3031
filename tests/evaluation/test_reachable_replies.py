"""Right replies in many forms: what is taken out of them is right, too, whatever it is that the function reaches."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.native.extraction import extract_program, extract_readings
from evaluation.native.runner import TestedProgram, open_runner
from evaluation.native.toolchain import Task
from evaluation.suite import Execution
from evaluation.toolchains import missing
from tests.evaluation.test_native_attacks import TOOLCHAINS

_FOLDER = Path(__file__).parent / "replies"

TASKS = {
    "cpp": Task(
        "#include<vector>\nusing namespace std;\nint add_one(int x){\n", "int main() { assert(add_one(1) == 2); }"
    ),
    "go": Task(
        "func AddOne(x int) int {\n",
        'import (\n"testing"\n"github.com/stretchr/testify/assert"\n)\n'
        "func TestIt(t *testing.T) { assert.Equal(t, 2, AddOne(1)) }\n",
    ),
    "java": Task(
        "import java.util.*;\n\nclass Solution {\n    public int addOne(int x) {\n",
        "class Main { public static void main(String[] a) { assert new Solution().addOne(1) == 2; } }",
    ),
    "javascript": Task("const addOne = (x) => {\n", "console.assert(addOne(1) === 2)"),
    "php": Task("<?php\nfunction add_one($x) {\n", "if (add_one(1) !== 2) { throw new Exception(); }"),
    "rust": Task("fn add_one(x: i32) -> i32 {\n", "fn main() { assert_eq!(add_one(1), 2); }"),
    "swift": Task("func add_one(x: Int) -> Int {\n", "assert(add_one(x: 1) == 2)"),
}


def entry(language: str) -> str:
    return {"go": "AddOne", "java": "addOne", "javascript": "addOne"}.get(language, "add_one")


def replies(language: str) -> dict[str, str]:
    """Return right replies by what is particular to each."""
    text = (_FOLDER / f"{language}.txt").read_text()
    return dict(re.findall(r"^==== (.*)\n((?:(?!====).*\n?)*)", text, re.MULTILINE))


def _languages() -> Iterator[object]:
    for language in TASKS:
        reason = missing(language, "stretchr/testify" if language == "go" else "")
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


@pytest.mark.parametrize("language", _languages())
def test_what_is_taken_out_of_a_right_reply_passes(language: str) -> None:
    task = TASKS[language]
    programs = {
        name: extract_program(language, f"Here:\n\n```{language}\n{text}```\n", entry(language), task.head)
        for name, text in replies(language).items()
    }
    programs |= {
        f"{name}, bare": extract_program(language, text, entry(language), task.head)
        for name, text in replies(language).items()
    }
    distinct = {text: name for name, text in programs.items()}
    with open_runner(TOOLCHAINS[language](), Execution()) as runner:
        results = dict(runner.run(distinct, lambda text: TestedProgram(text, task, 10.0)))
    assert {distinct[text]: (result.reason, result.detail) for text, result in results.items() if result.reason} == {}


@pytest.mark.parametrize("language", TASKS)
def test_tests_examples_and_output_stay_out(language: str) -> None:
    name = [name for name in replies(language) if "example" in name or "test" in name or "main" in name][-1]
    program = extract_program(language, replies(language)[name], entry(language), TASKS[language].head)
    assert not re.search(r"\bmain\b|shown|\btests?\b|println|console|print|echo", program), program


@pytest.mark.parametrize("language", TASKS)
def test_the_code_as_it_stands_is_the_other_reading(language: str) -> None:
    for text in replies(language).values():
        first, *others = extract_readings(language, f"```{language}\n{text}```", entry(language), TASKS[language].head)
        assert len(others) <= 1
        assert others or "".join(text.split()) in "".join(first.split())
        assert all(text.strip() in other for other in others)

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


def _languages(slow: str = "") -> Iterator[object]:
    for language in TASKS:
        reason = missing(language, "stretchr/testify" if language == "go" else "")
        marks = [pytest.mark.skipif(bool(reason), reason=reason)]
        yield pytest.param(language, marks=[*marks, pytest.mark.slow] if language == slow else marks)


@pytest.mark.parametrize("language", _languages(slow="cpp"))
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


LEFT_OUT = {
    "cpp": "int unused[2];",
    "go": "var unused = 1",
    "javascript": "const unused = 1;",
    "php": "$unused = 1;",
    "rust": "static UNUSED: i32 = 1;",
    "swift": "let unused = 1",
}
BODIES = {
    "cpp": "return x + 1; }",
    "go": "return x + 1\n}",
    "java": "return x + 1; } }",
    "javascript": "return x + 1; }",
    "php": "return $x + 1; }",
    "rust": "x + 1 }",
    "swift": "return x + 1 }",
}


def readings(language: str, reply: str) -> list[str]:
    return extract_readings(language, reply, entry(language), TASKS[language].head)


@pytest.mark.parametrize("language", LEFT_OUT)
def test_the_code_as_it_stands_is_another_reading_where_more_than_tests_was_left_out(language: str) -> None:
    whole = TASKS[language].head + BODIES[language]
    assert len(readings(language, f"```{language}\n{whole}\n```")) == 1
    code = f"{whole}\n{LEFT_OUT[language]}"
    first, second = readings(language, f"Yes.\n```{language}\n{code}\n```\nIt adds one.")
    assert LEFT_OUT[language] not in first and second.strip() == code.strip()


def test_a_java_class_that_lost_its_constructor_is_read_as_it_stands_too() -> None:
    code = "class Solution {\n int by;\n Solution(int x) { by = x; }\n static int addOne(int x) { return x + 1; }\n}"
    first, second = readings("java", f"```java\n{code}\n```")
    assert "by = x" not in first and second.strip() == code


@pytest.mark.parametrize("language", TASKS)
def test_of_several_blocks_the_last_that_defines_the_function_counts(language: str) -> None:
    draft = f"```{language}\n{TASKS[language].head}{BODIES[language].replace('1', '7')}\n```"
    final = f"```{language}\n{TASKS[language].head}{BODIES[language]}\n```"
    [program, *_] = readings(language, f"First:\n{draft}\nNo, wrong:\n{final}\nSo much for that.\n```\n2\n```\n")
    assert "+ 1" in program and "+ 7" not in program


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_another_block_fills_in_what_the_last_lacks(order: tuple[int, int]) -> None:
    blocks = ["```cpp\nint up(int x) { return x + 1; }\n```", "```cpp\nint add_one(int x) { return up(x); }\n```"]
    program = readings("cpp", "\nand\n".join(blocks[number] for number in order))[0]
    assert "int up(int x)" in program and "int add_one(int x)" in program
    assert order == (1, 0) or program.index("int up") < program.index("int add_one")


@pytest.mark.parametrize("language", [name for name in TASKS if name != "java"])
def test_what_is_defined_twice_is_read_as_it_stands_too(language: str) -> None:
    draft, final = (TASKS[language].head + body for body in (BODIES[language].replace("1", "7"), BODIES[language]))
    assert "+ 1" in readings(language, f"```{language}\n{draft}\n{final}\n```")[-1]


def test_all_blocks_together_are_another_reading() -> None:
    code = "let by = 2;\nconst addOne = (x) => x + by;"
    first, *_, stands = readings("javascript", f"```js\n{code}\n```\nNo:\n```js\nby = 1;\n```")
    assert "by = 1" not in first and stands == f"{code}\n\nby = 1;\n"


def test_an_import_is_no_definition_of_the_function() -> None:
    code = "const addOne = (x) => x + 1;"
    usage = "const addOne = require('./addOne');\nconst two = addOne(1);"
    assert "require" not in readings("javascript", f"```js\n{code}\n```\n```js\n{usage}\n```")[0]


def test_a_function_under_a_name_of_the_preprocessor_is_read_as_it_stands() -> None:
    code = "#define impl add_one\nint impl(int x) { return x + 1; }"
    assert f"{code}\n" in readings("cpp", f"```cpp\n{code}\n```")


def test_parts_of_an_unknown_kind_are_read_as_they_stand_too() -> None:
    code = "debugger;\nconst addOne = (x) => x + 1;"
    first, stands = readings("javascript", f"```js\n{code}\n```")
    assert "debugger" not in first and stands.strip() == code


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("cpp", "c++17"),
        ("cpp", "C++"),
        ("cpp", "{.cpp .numberLines}"),
        ("javascript", "node.js"),
        ("javascript", "language-js"),
        ("php", "php7"),
        ("rust", "rust,no_run"),
        ("java", 'java title="A.java"'),
        ("go", "lang-golang"),
        ("swift", "Swift 5"),
    ],
)
def test_a_language_is_known_by_its_label_in_many_forms(language: str, label: str) -> None:
    other = f"```text\n{TASKS[language].head}{BODIES[language].replace('1', '7')}\n```"
    own = f"```{label}\n{TASKS[language].head}{BODIES[language]}\n```"
    assert "+ 7" not in readings(language, f"{own}\n{other}")[0]

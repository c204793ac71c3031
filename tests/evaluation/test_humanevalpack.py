"""HumanEvalPack on rows of our own: what is asked, what is taken from replies, what passes; and on the real data."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evaluation.errors import BenchmarkError
from evaluation.native.rust import Rust
from evaluation.suite import Execution, Sample
from evaluation.suites import humanevalpack
from evaluation.suites.humanevalpack import NAMES, HumanEvalPackSuite, Language, Mode, load
from evaluation.toolchains import missing

DATA = os.environ.get("INVERSE_INSTRUCT_TEST_DATA")
LANGUAGES: tuple[Language, ...] = ("python", "js", "java", "go", "cpp", "rust")
GRAMMARS = {"js": "javascript"}

ROWS: dict[str, dict[str, Any]] = {
    "python": {
        "declaration": "def add_two(x: int) -> int:\n",
        "canonical_solution": "    return x + math.gcd(2, 4)\n",
        "buggy_solution": "    return x + 3\n",
        "test": "def check(add_two):\n    assert add_two(1) == 3\n\ncheck(add_two)\n",
        "entry_point": "add_two",
    },
    "js": {
        "declaration": "const addTwo = (x) => {\n",
        "canonical_solution": "  return x + 2;\n}\n",
        "buggy_solution": "  return x + 3;\n}\n",
        "test": "const testAddTwo = () => {\n  console.assert(addTwo(1) === 3)\n}\n\ntestAddTwo()\n",
        "entry_point": "addtwo",
    },
    "java": {
        "declaration": "import java.util.*;\n\nclass Solution {\n    public int addTwo(int x) {\n",
        "canonical_solution": "        return x + 2;\n    }\n}",
        "buggy_solution": "        return x + 3;\n    }\n}",
        "test": "public class Main {\n    public static void main(String[] args) {\n"
        "        Solution s = new Solution();\n"
        "        List<Boolean> correct = Arrays.asList(s.addTwo(1) == 3);\n"
        "        if (correct.contains(false)) {\n            throw new AssertionError();\n        }\n    }\n}\n",
        "entry_point": "add_two",
    },
    "go": {
        "declaration": "\nfunc AddTwo(x int) int {\n",
        "import": 'import (\n    "strings"\n)\n',
        "canonical_solution": '    return x + len(strings.Repeat("a", 2))\n}\n',
        "buggy_solution": "    return x + 3\n}\n",
        "test": "func TestAddTwo(t *testing.T) {\n    assert := assert.New(t)\n"
        "    assert.Equal(3.0, math.Abs(float64(AddTwo(1))))\n}\n",
        "test_setup": 'package main\n\nimport (\n    "testing"\n    "math"\n'
        '    "github.com/stretchr/testify/assert"\n)\n',
        "entry_point": "AddTwo",
    },
    "cpp": {
        "declaration": "#include<stdio.h>\nusing namespace std;\nint add_two(int x){\n",
        "canonical_solution": "    vector<int> v(2);\n    return x + v.size();\n}\n",
        "buggy_solution": "    return x + 3;\n}\n",
        "test": "#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (add_two(1) == 3);\n}\n",
        "entry_point": "add_two",
    },
    "rust": {
        "declaration": "\nuse std::cmp::max;\n\nfn add_two(x: i32) -> i32 {\n",
        "canonical_solution": "    max(x, x + 2)\n}\n",
        "buggy_solution": "    x + 3\n}\n",
        "test": "\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn test_add_two() {\n"
        "        assert_eq!(add_two(1), 3);\n    }\n}\n",
        "entry_point": "add_two",
    },
}


def suite_of(folder: Path, mode: Mode, language: Language, **changes: object) -> HumanEvalPackSuite:
    """Return the suite of one row of our own."""
    fields = ROWS[language]
    documented = f"{fields.get('import', '')}{fields['declaration']}"
    row = {
        "task_id": "Own/0",
        "prompt": documented,
        "instruction": "Write a function that adds two.",
        "docstring": "Add two to x.",
        **fields,
        **changes,
    }
    path = folder / f"{language}.jsonl"
    path.write_text(json.dumps(row))
    return load(mode, language, str(path))


def judge(suite: HumanEvalPackSuite, *solutions: str) -> list[str | None]:
    """Return the reasons of the verdicts, None for a pass."""
    reason = suite.not_measured(Execution()).get("Own/0")
    if reason:
        pytest.skip(reason)
    with suite.examiner(Execution(workers=2)) as examine:
        samples = [Sample("Own/0", number, text) for number, text in enumerate(solutions)]
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    assert all(verdict.passed == (verdict.reason is None) for verdict in verdicts)
    assert all(verdict.plus is None for verdict in verdicts)
    return [verdict.reason for verdict in verdicts]


@pytest.fixture(autouse=True)
def without_crates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Building crates takes long, and the own rows need none."""
    if request.node.get_closest_marker("slow") is None:
        plain = replace(humanevalpack._DIALECTS["rust"], toolchain=partial(Rust, "2021", ()))
        monkeypatch.setitem(humanevalpack._DIALECTS, "rust", plain)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_right_solution_passes_and_others_do_not(language: Language, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "humanevalfix", language)
    task = suite.tasks["Own/0"]
    right, wrong = task.head + task.canonical_solution, task.head + task.buggy_solution
    declared_only = ROWS[language]["declaration"] + task.canonical_solution
    reasons = judge(suite, right, wrong, declared_only, "", "((")
    assert reasons[:3] == [None, "assertion", None]
    assert None not in reasons[3:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chatty_reply_passes(language: Language, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "humanevalfix", language)
    task = suite.tasks["Own/0"]
    prompt = suite.prompt("Own/0", [])
    assert prompt is not None
    continued = prompt.beginning + "\n" + task.canonical_solution
    chatty = f"Sure!\n\n```{GRAMMARS.get(language, language)}\n{task.head}{task.canonical_solution}\n```\n\nIt adds 2."
    body = task.canonical_solution
    assert judge(suite, *(suite.extract("Own/0", [reply]) for reply in (continued, chatty, body))) == [None] * 3


def test_repairing_shows_the_faulty_code_and_the_tests_and_begins_the_answer(tmp_path: Path) -> None:
    prompt = suite_of(tmp_path, "humanevalfix", "js").prompt("Own/0", [])
    assert prompt is not None
    assert "return x + 3;" in prompt.request and "testAddTwo()" in prompt.request and "`addTwo`" in prompt.request
    assert prompt.beginning == "```javascript\nconst addTwo = (x) => {"
    assert "return x + 2" not in prompt.request


def test_repairing_by_documentation_shows_no_tests(tmp_path: Path) -> None:
    documented = "/* Adds two. */\nconst addTwo = (x) => {\n"
    prompt = suite_of(tmp_path, "humanevalfix_docs", "js", prompt=documented).prompt("Own/0", [])
    assert prompt is not None
    assert "Adds two." in prompt.request and "return x + 3;" in prompt.request and "testAddTwo" not in prompt.request


def test_synthesizing_asks_by_the_instruction_once(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "humanevalsynthesize", "cpp")
    prompt = suite.prompt("Own/0", [])
    assert prompt is not None and prompt.request == "Write a function that adds two."
    assert suite.prompt("Own/0", ["anything"]) is None


def test_explaining_asks_twice_and_passes_on_neither_code_nor_name(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "humanevalexplain", "java")
    first = suite.prompt("Own/0", [])
    assert first is not None and "return x + 2;" in first.request and first.beginning == ""
    description = "`addTwo` raises a number by two; see addTwo:\n```java\nreturn x + 2;\n```\nThat is all."
    second = suite.prompt("Own/0", [description])
    assert second is not None
    assert "raises a number by two" in second.request and "That is all." in second.request
    assert "addTwo" not in second.request and "return" not in second.request
    assert "addTwo(int x)" in second.beginning, "the tests call it by its name"
    assert suite.prompt("Own/0", [description, "code"]) is None


@pytest.mark.parametrize("language", ["js", "java"])
def test_what_the_tests_call_is_read_from_the_declaration(language: Language, tmp_path: Path) -> None:
    assert suite_of(tmp_path, "humanevalfix", language).tasks["Own/0"].entry_point == "addTwo"


def test_a_declaration_that_runs_on_into_the_body_is_mended(tmp_path: Path) -> None:
    declaration, body = "int f(int x){\n    for (;;)\n    {\n", "    for (;;)\n    {\n        return x;\n    }\n}\n"
    changes = {"declaration": declaration, "prompt": "int f(int x){\n", "canonical_solution": body}
    suite = suite_of(tmp_path, "humanevalfix", "cpp", **changes)
    assert suite.tasks["Own/0"].head == "int f(int x){\n"


def test_a_declaration_that_lacks_a_helper_is_mended(tmp_path: Path) -> None:
    prompt = "func Helper() int {\n    return 2\n}\n\nfunc AddTwo(x int) int {\n"
    suite = suite_of(tmp_path, "humanevalfix", "go", prompt=prompt)
    assert "func Helper" in suite.tasks["Own/0"].head


def test_printing_javascript_has_failed(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "humanevalfix", "js")
    assert judge(suite, "const addTwo = (x) => {\n  console.log(x);\n  return x + 2;\n}\n") == ["assertion"]


def test_a_missing_library_is_not_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.toolchains.Need.is_met", False)
    own = suite_of(tmp_path, "humanevalfix", "js")
    assert "js-md5" not in own.not_measured(Execution())["Own/0"]
    md5 = suite_of(tmp_path, "humanevalfix", "js", canonical_solution="  return require('js-md5')(x);\n}\n")
    assert "js-md5" in md5.not_measured(Execution())["Own/0"]


@pytest.mark.parametrize("field", ["declaration", "test", "buggy_solution", "entry_point"])
def test_a_row_without_a_field_is_named(field: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=f"cpp.jsonl:1: {field}"):
        suite_of(tmp_path, "humanevalfix", "cpp", **{field: ""})


def test_the_rows_are_found_in_a_data_folder(tmp_path: Path) -> None:
    (tmp_path / "humanevalpack").mkdir()
    suite_of(tmp_path / "humanevalpack", "humanevalfix", "rust")
    suite = load("humanevalfix", "rust", str(tmp_path))
    assert suite.name == "humanevalfix_rust" and suite.name in NAMES and suite.task_ids == ["Own/0"]


def _measured() -> Iterator[object]:
    for language in LANGUAGES:
        reason = (
            "" if language == "python" else missing(GRAMMARS.get(language, language), "stretchr/testify use rand::")
        )
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


LEFT_TO_CHANCE = {"Go/95", "Rust/32"}
"""Canonical solutions that do not always pass, see the suite's docstring."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not DATA, reason="INVERSE_INSTRUCT_TEST_DATA names no folder")
@pytest.mark.parametrize("language", _measured())
def test_canonical_solutions_pass_and_faulty_ones_fail(language: Language) -> None:
    suite = load("humanevalfix", language, DATA)
    tasks = {task_id: task for task_id, task in suite.tasks.items() if task_id not in suite.not_measured(Execution())}
    assert len(tasks) >= 163
    with suite.examiner(Execution(workers=2)) as examine:
        right = examine([Sample(task_id, 0, task.head + task.canonical_solution) for task_id, task in tasks.items()])
        assert {verdict.task_id for verdict in right if not verdict.passed} <= LEFT_TO_CHANCE
        faulty = examine([Sample(task_id, 0, task.head + task.buggy_solution) for task_id, task in tasks.items()])
        assert [verdict.task_id for verdict in faulty if verdict.passed] == []

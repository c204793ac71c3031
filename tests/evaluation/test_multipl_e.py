"""MultiPL-E on rows of our own: completions, whole functions and cheats, in every language with a toolchain."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.errors import BenchmarkError
from evaluation.suite import Execution, Sample
from evaluation.suites.multipl_e import Language, MultiPlESuite, load
from evaluation.toolchains import missing

DATA = os.environ.get("INVERSE_INSTRUCT_TEST_DATA")
GRAMMARS = {"js": "javascript"}

PROMPTS: dict[Language, str] = {
    "java": "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n    // Add two: }{\n"
    "    public static long addTwo(long x) {\n",
    "js": "//Add two.\nfunction add_two(x){\n",
    "cpp": "#include<assert.h>\n#include<bits/stdc++.h>\n// Add two.\nlong add_two(long x) {\n",
    "php": "<?php\n// Add two.\nfunction add_two($x) {\n",
    "swift": "\n/// Add two.\nfunc add_two(x: Int) -> Int {\n",
    "rust": "/// Add two.\nfn add_two(x: isize) -> isize {\n",
}
TESTS: dict[Language, str] = {
    "java": "    }\n    public static void main(String[] args) {\n    assert(addTwo((1l)) == (3l));\n    }\n\n}\n",
    "js": "const assert = require('node:assert');\n\n\nfunction test() {\n  let candidate = add_two;\n"
    "  assert.deepEqual(candidate(1),3);\n}\n\ntest();",
    "cpp": "}\nint main() {\n    auto candidate = add_two;\n    assert(candidate((1)) == (3));\n}\n",
    "php": "function candidate(...$args) {\n    return add_two(...$args);\n}\n\nfunction test(): void {\n"
    '    if (candidate(1) !== 3) { throw new Exception("Test failed!"); }\n}\n\ntest();',
    "swift": "}\n\n\nassert(add_two(x: 1) == 3)\n",
    "rust": "}\n\nfn main() {\n    let candidate = add_two;\n    assert_eq!(candidate(1), 3);\n}\n",
}
STOP: dict[Language, list[str]] = {
    "java": ["\n    }\n"],
    "js": ["\nfunction ", "\n/*", "\n//", "\nconsole.log"],
    "cpp": ["\n}"],
    "php": ["\nfunction", "\n?>", "\n//", "\n#"],
    "swift": ["\n}"],
    "rust": ["\n}"],
}
RESULTS: dict[Language, str] = {
    "java": "        return x + 2;",
    "js": "  return x + 2;\n}",
    "cpp": "    return x + 2;",
    "php": "  return $x + 2;\n}",
    "swift": "    return x + 2",
    "rust": "    x + 2",
}
EXITS: dict[Language, str] = {
    "java": "        System.exit(0); return 0;",
    "js": "  process.exit(0);\n}",
    "cpp": "    exit(0);",
    "php": "  exit(0);\n}",
    "swift": "    exit(0)",
    "rust": "    std::process::exit(0)",
}


def suite_of(folder: Path, language: Language) -> MultiPlESuite:
    """Return the suite of one row of our own."""
    file = folder / f"humaneval-{'rs' if language == 'rust' else language}.jsonl"
    row = {"name": "Own_0", "prompt": PROMPTS[language], "tests": TESTS[language], "stop_tokens": STOP[language]}
    file.write_text(json.dumps(row))
    return load(language, str(folder))


def judge(suite: MultiPlESuite, *solutions: str) -> list[str | None]:
    """Return the reasons of the verdicts, None for a pass."""
    with suite.examiner(Execution(workers=2)) as examine:
        samples = [Sample("Own_0", number, text) for number, text in enumerate(solutions)]
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    return [verdict.reason for verdict in verdicts]


def languages() -> Iterator[object]:
    for language in PROMPTS:
        reason = missing(GRAMMARS.get(language, language), PROMPTS[language])
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


@pytest.mark.parametrize("language", languages())
def test_completions_and_whole_functions_pass_and_others_do_not(language: Language, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, language)
    prompt, result = PROMPTS[language], RESULTS[language]
    whole = prompt + result + {"java": "\n    }\n}\n", "js": "\n", "php": "\n"}.get(language, "\n}\n")
    chatty = f"Of course.\n\n```{language}\n{whole}```\n\nThis adds two."
    passing = {
        "completion, cut before the last brace": prompt + result,
        "whole function": whole,
        "completion, taken from a reply": suite.extract("Own_0", [result]),
        "function, taken from a reply that goes on": suite.extract("Own_0", [f"```\n{prompt.rstrip()}\n{result}"]),
        "function, taken from a chatty reply": suite.extract("Own_0", [chatty]),
    }
    if language == "java":
        passing["method closed, class open"] = prompt + result + "\n    }\n"
        passing["another class after"] = whole + "class Other { int two = 2; }\n"
    failing = {
        "wrong": prompt + result.replace("2", "3"),
        "exits": prompt + EXITS[language],
        "broken": prompt + "((",
        "empty": "",
    }
    reasons = judge(suite, *passing.values(), *failing.values())
    by_name = dict(zip([*passing, *failing], reasons, strict=True))
    assert {name: by_name[name] for name in passing} == dict.fromkeys(passing)
    assert by_name["wrong"] == "assertion" and by_name["exits"] == "exited"
    assert by_name["broken"] == "syntax" and by_name["empty"] is not None


@pytest.mark.parametrize("language", PROMPTS)
def test_the_brace_that_closes_the_prompt_is_taken_off_the_tests(language: Language, tmp_path: Path) -> None:
    tests = suite_of(tmp_path, language).tasks["Own_0"].tests
    assert not tests.lstrip().startswith("}")
    assert tests.strip() in TESTS[language]


@pytest.mark.parametrize("language", PROMPTS)
def test_the_answer_begins_with_the_prompt_and_ends_at_the_stop_tokens(language: Language, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, language)
    prompt = suite.prompt("Own_0", [])
    assert prompt is not None
    assert prompt.beginning.endswith(PROMPTS[language].rstrip()) and prompt.beginning in prompt.request
    assert prompt.stop == ("\n```", *STOP[language])
    assert suite.prompt("Own_0", ["reply"]) is None


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_replacing_the_functions_of_assert_does_not_pass(tmp_path: Path) -> None:
    wrong = "function add_two(x) { return x; }\n"
    cheats = [
        "require('assert').deepEqual = () => {};\n",
        "require('node:assert').strict.deepEqual = require('node:assert').deepEqual = () => {};\n",
        "globalThis.require = () => ({ deepEqual() {} });\n",
        "require('module')._load = () => ({ deepEqual() {} });\n",
    ]
    assert set(judge(suite_of(tmp_path, "js"), *(cheat + wrong for cheat in cheats))) == {"assertion"}


def test_without_a_toolchain_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.toolchains.Need.is_met", False)
    for language, package in (("java", "libjavatuples-java"), ("swift", "Debian 12"), ("php", "php-cli")):
        assert package in suite_of(tmp_path, language).not_measured(Execution())["Own_0"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"), [("stop_tokens", "x"), ("stop_tokens", [""]), ("tests", ""), ("prompt", "no function")]
)
def test_a_damaged_row_is_named(field: str, value: object, tmp_path: Path) -> None:
    row = {"name": "Own_0", "prompt": PROMPTS["cpp"], "tests": TESTS["cpp"], "stop_tokens": STOP["cpp"], field: value}
    (tmp_path / "humaneval-cpp.jsonl").write_text(json.dumps(row))
    with pytest.raises(BenchmarkError, match=f"humaneval-cpp.jsonl:1: {field}"):
        load("cpp", str(tmp_path))


@pytest.mark.skipif(not DATA, reason="INVERSE_INSTRUCT_TEST_DATA names no folder")
@pytest.mark.parametrize(
    ("language", "count"), [("java", 158), ("js", 161), ("cpp", 161), ("php", 161), ("swift", 158), ("rust", 156)]
)
def test_the_real_rows_are_read(language: Language, count: int) -> None:
    suite = load(language, DATA)
    assert len(suite.task_ids) == count
    assert not any(task.tests.lstrip().startswith("}") for task in suite.tasks.values())

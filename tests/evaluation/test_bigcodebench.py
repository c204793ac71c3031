"""BigCodeBench's rows: unit tests in the process of what they test; libraries that are not here are not failures."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites import SUITES
from evaluation.suites.bigcodebench import BigCodeBench

HERE = Execution(workers=2)
HEAD = "import json\nimport random\ndef task_func(size):\n"
DOCSTRING = '    """\n    Draw so many numbers.\n\n    Example:\n    >>> task_func(0)\n    []\n    """\n'
TEST = """import unittest
from unittest.mock import patch

class TestCases(unittest.TestCase):
    @patch("random.randint", return_value=7)
    def test_drawn(self, drawn):
        self.assertEqual(task_func(2), [7, 7])
        self.assertEqual(drawn.call_count, 2)

    def test_none(self):
        self.assertEqual(task_func(0), [])
        with self.assertRaises(ValueError):
            task_func(-1)
"""
SOLUTION = """    if size < 0:
        raise ValueError("negative")
    return [random.randint(1, 9) for _ in range(size)]
"""
ROW: dict[str, Any] = {
    "task_id": "BigCodeBench/0",
    "complete_prompt": HEAD + DOCSTRING,
    "instruct_prompt": f"Draw so many numbers.\nYou should write self-contained code starting with:\n```\n{HEAD}```",
    "canonical_solution": SOLUTION,
    "code_prompt": HEAD,
    "test": TEST,
    "entry_point": "task_func",
    "doc_struct": "{}",
    "libs": "['json', 'random']",
}


def suite_of(folder: Path, *rows: dict[str, Any], name: str = "bigcodebench") -> Any:
    (folder / "BigCodeBench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SUITES[name](str(folder))


@pytest.fixture(autouse=True)
def load_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no worker load libraries that these rows do not use."""
    monkeypatch.setattr("evaluation.suites.bigcodebench._PRELOAD", ("unittest.mock",))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> BigCodeBench:
    found: BigCodeBench = suite_of(tmp_path_factory.mktemp("bigcodebench"), ROW)
    return found


def passes(suite: BigCodeBench, *programs: str) -> list[bool]:
    with suite.examiner(HERE) as examine:
        samples = [Sample("BigCodeBench/0", number, program) for number, program in enumerate(programs)]
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    return [verdict.passed for verdict in verdicts]


BODY = "    return [random.randint(1, 9) for _ in range(abs(size))]\n"
WRONG = {
    "wrong": HEAD + BODY,
    "empty": "",
    "no Python": HEAD,
    "leaving at once": "import sys; sys.exit(0)",
    "ending the process": "import os; os._exit(0)",
    "leaving when called": HEAD + "    raise SystemExit(0)\n",
    "ending when called": HEAD + "    import os; os._exit(0)\n",
    "tests of its own": f"{HEAD}{BODY}\nimport unittest\nclass TestCases(unittest.TestCase):\n"
    "    def test_it(self):\n        pass\n",
    "a loader of its own": f"{HEAD}{BODY}\nimport unittest\n"
    "unittest.TestLoader = unittest.TestSuite = unittest.TestResult = None\n_unittest = None\n",
    "skipping": f"{HEAD}    import unittest\n    raise unittest.SkipTest\n",
    "a judge of its own": f"{HEAD}{BODY}\ndef judge(cases): pass\nNAME = _judge = judge\n",
    "jumping over": f"{HEAD}    import sys\n    sys.settrace(print)\n    return []\n",
}


def test_the_canonical_solution_passes_and_others_do_not(suite: BigCodeBench) -> None:
    right = [suite.reference("BigCodeBench/0"), "from __future__ import annotations\n" + HEAD + SOLUTION]
    assert passes(suite, *right) == [True, True]
    found = passes(suite, *WRONG.values())
    assert [name for name, passed in zip(WRONG, found, strict=True) if passed] == []


def test_libraries_that_are_not_here_are_no_failures(tmp_path: Path) -> None:
    rows = [
        ROW,
        ROW | {"task_id": "BigCodeBench/1", "libs": "['nosuchlib.part', 'json']"},
        ROW | {"task_id": "BigCodeBench/2", "test": f"import othermissing\n{TEST}"},
    ]
    suite = suite_of(tmp_path, *rows)
    missing = suite.not_measured(HERE)
    assert list(missing) == ["BigCodeBench/1", "BigCodeBench/2"]
    assert missing["BigCodeBench/1"].startswith(f"{sys.executable} lacks nosuchlib: install it")
    assert "lacks othermissing" in missing["BigCodeBench/2"] and "evaluate.python" in missing["BigCodeBench/2"]


@pytest.mark.parametrize("name", ["bigcodebench", "bigcodebench_complete"])
def test_both_ways_to_ask_are_read_to_the_same_program(tmp_path: Path, name: str) -> None:
    suite = suite_of(tmp_path, ROW, name=name)
    prompt = suite.prompt("BigCodeBench/0", [])
    assert prompt is not None and suite.prompt("BigCodeBench/0", [""]) is None
    assert ("self-contained" in prompt.request) == (name == "bigcodebench")
    given = suite.stem("BigCodeBench/0")
    assert prompt.beginning == f"```python\n{given.rstrip()}"
    for reply in (
        f"{prompt.beginning}\n{SOLUTION}```",
        f"Sure:\n```python\n{HEAD}{SOLUTION}\nprint(task_func(1))\n```",
    ):
        assert passes(suite, suite.extract("BigCodeBench/0", [reply])) == [True]
    assert suite.completion_prompt("BigCodeBench/0").request == ""
    assert name.partition("_")[2] in suite.version


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"libs": "__import__('os')"}, "libs: must be a list of modules"),
        ({"libs": None}, "libs: must be a list of modules"),
        ({"test": "class"}, "test: is no Python"),
        ({"test": "assert True"}, "test: has no class of tests"),
        ({"canonical_solution": ""}, "canonical_solution: must be non-empty"),
    ],
)
def test_rows_that_do_not_say_what_is_needed(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchmarkError, match=f"BigCodeBench.jsonl:1: {words}"):
        suite_of(tmp_path, ROW | change)


def test_a_task_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="BigCodeBench.jsonl:2: task_id: .* is there twice"):
        suite_of(tmp_path, ROW, ROW)


def test_what_must_not_be_in_training_data(suite: BigCodeBench) -> None:
    [texts] = suite.texts
    assert texts.task == "BigCodeBench/0" and "Draw so many numbers." in texts.prose[0]
    assert texts.code == (HEAD + DOCSTRING, SOLUTION)

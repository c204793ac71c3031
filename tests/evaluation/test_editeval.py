"""EditEval puts the edited code where the context says, as text, and times by the CPU clock."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites.editeval import EditEval, load

METHOD: dict[str, Any] = {
    "task_id": "EditEval/0",
    "instruction": "Return the doubled value.",
    "context": "class Box:\n    value = 2\n{{Code}}\n\nedited_code = '''\n{{Code}}\n'''\n",
    "input": "    def get(self):\n        return self.value\n",
    "output": "    def get(self):\n        return 2 * self.value\n",
    "test": "def check():\n    assert Box().get() == 4\n    assert edited_code.count('def get') == 1\n",
}
BARE: dict[str, Any] = {
    "task_id": "EditEval/1",
    "instruction": "Quote the text for a URL, whatever Python it is.",
    "input": "import urllib\ndef quoted(text): return urllib.quote(text)",
    "output": "import urllib\ndef quoted(text): return urllib.parse.quote(text)",
    "test": "def check():\n    assert quoted('a b') == 'a%20b'",
}
SPIN = (
    "def spin(rounds):\n    for _ in range(rounds * 500000): pass\n"
    "def f():\n    spin({})\n    import time\n    time.sleep({})\n"
)
TIMED: dict[str, Any] = {
    "task_id": "EditEval/2",
    "instruction": "Make it faster.",
    "context": None,
    "input": SPIN.format(20, 0),
    "output": SPIN.format(4, 0),
    "test": (
        "def check():\n    import time\n    start = time.time()\n    spin(20)\n    slow = time.time() - start\n"
        "    start = time.time()\n    f()\n    assert time.time() - start < slow * 0.5\n"
    ),
}
ARRAY: dict[str, Any] = BARE | {"task_id": "EditEval/3", "context": "import numpy as np\n{{Code}}"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> EditEval:
    folder = tmp_path_factory.mktemp("editeval")
    rows = (METHOD, BARE, TIMED, ARRAY)
    (folder / "edit_eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(str(folder))


def passes(suite: EditEval, task_id: str, *solutions: str) -> list[bool]:
    with suite.examiner(Execution(workers=1)) as examine:
        verdicts = list(examine([Sample(task_id, index, code) for index, code in enumerate(solutions)]))
    return [verdict.passed for verdict in sorted(verdicts, key=lambda verdict: verdict.sample)]


@pytest.mark.parametrize("row", [METHOD, BARE, TIMED], ids=["method", "bare", "timed"])
def test_references_pass_and_unedited_code_fails(suite: EditEval, row: dict[str, Any]) -> None:
    assert suite.reference(row["task_id"]) == row["output"]
    assert passes(suite, row["task_id"], row["output"], row["input"]) == [True, False]


def test_every_marker_is_replaced_by_the_plain_text(suite: EditEval) -> None:
    breaks_the_string = METHOD["output"] + "    x = '''def get'''\n"
    assert passes(suite, "EditEval/0", breaks_the_string) == [False]


def test_waiting_does_not_count_in_timed_tests(suite: EditEval) -> None:
    assert passes(suite, "EditEval/2", SPIN.format(4, 0.2)) == [True]


def test_the_edit_is_found_in_the_reply_and_gets_its_indentation_back(suite: EditEval) -> None:
    prompt = suite.prompt("EditEval/0", [])
    assert prompt is not None
    assert METHOD["instruction"] in prompt.request and METHOD["input"] in prompt.request
    dedented = "def get(self):\n    return 2 * self.value\n"
    replies = [
        prompt.beginning + METHOD["output"],
        prompt.beginning + dedented + "```",
        f"It was:\n```python\n{METHOD['input']}```\nnow:\n```\n{dedented}```\nRun it:\n```sh\npython box.py\n```",
        "    def get(self):\n        return 2 * self.value",
        f"<think>\n```python\n{METHOD['input']}```\n</think>\n```python\n{dedented}```",
    ]
    solutions = [suite.extract("EditEval/0", [reply]) for reply in replies]
    assert [solution.strip("\n") for solution in solutions] == [METHOD["output"].strip("\n")] * 5
    assert suite.extract("EditEval/0", ["I cannot help with that."]).strip() == "I cannot help with that."


def test_without_numpy_its_tasks_are_not_measured(suite: EditEval, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert suite.not_measured(Execution()) == {"EditEval/3": "needs numpy: pip install numpy"}


def test_a_row_without_its_test_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({name: BARE[name] for name in BARE if name != "test"}))
    with pytest.raises(BenchmarkError, match="rows.jsonl:1: test"):
        load(str(file))


@pytest.mark.slow
@pytest.mark.skipif("INVERSE_INSTRUCT_TEST_DATA" not in os.environ, reason="needs the benchmarks' files")
def test_all_references_pass_and_no_unedited_input_does() -> None:
    suite = load(os.environ["INVERSE_INSTRUCT_TEST_DATA"])
    assert len(suite.task_ids) == 194
    samples = [
        Sample(task_id, index, code)
        for task_id, row in suite.rows.items()
        for index, code in enumerate((row.text("output"), row.text("input")))
    ]
    with suite.examiner(Execution()) as examine:
        verdicts = list(examine(samples))
    assert [verdict for verdict in verdicts if verdict.passed != (verdict.sample == 0)] == []

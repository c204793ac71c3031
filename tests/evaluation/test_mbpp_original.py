"""MBPP in both layouts: which rows are tasks, what is asked, and that the references pass."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites.mbpp import Mbpp, load

FULL: dict[str, Any] = {
    "text": "Write a function to add two numbers.",
    "code": "def plus(a, b):\r\n    return a + b",
    "task_id": 11,
    "test_setup_code": "",
    "test_list": ["assert plus(1, 2) == 3", "assert plus(-1, 1) == 0"],
    "challenge_test_list": [],
}
TREE: dict[str, Any] = FULL | {
    "text": "Write a function to tell whether a node has a child.",
    "task_id": 12,
    "code": (
        "class Node:\r\n    def __init__(self):\r\n        self.left = None\r\n"
        "def has_child(node):\r\n    return bool(node.left)"
    ),
    "test_setup_code": "root = Node()\r\nroot.left = Node()",
    "test_list": ["assert has_child(root) == True", "assert has_child(root.left) == False"],
}
SANITIZED: dict[str, Any] = {
    "source_file": "x",
    "task_id": 2,
    "prompt": "Write a function to halve pi times a number.",
    "code": "def half_pi(x):\n    return 3.141592653589793 * x / 2",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(half_pi(1), math.pi / 2)"],
}


def load_rows(folder: Path, *rows: dict[str, Any], name: str = "mbpp.jsonl") -> Mbpp:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(str(folder))


def passes(suite: Mbpp, task_id: str, *solutions: str) -> list[bool]:
    with suite.examiner(Execution(workers=1)) as examine:
        verdicts = list(examine([Sample(task_id, index, code) for index, code in enumerate(solutions)]))
    return [verdict.passed for verdict in sorted(verdicts, key=lambda verdict: verdict.sample)]


def test_the_test_split_is_judged(tmp_path: Path) -> None:
    suite = load_rows(tmp_path, FULL | {"task_id": 10}, FULL, TREE, FULL | {"task_id": 511})
    assert suite.task_ids == ["Mbpp/11", "Mbpp/12"]
    assert passes(suite, "Mbpp/11", suite.reference("Mbpp/11"), "def plus(a, b): return 3") == [True, False]
    assert passes(suite, "Mbpp/12", suite.reference("Mbpp/12"), "class Node: left = None") == [True, False]


def test_the_sanitized_layout_brings_the_imports_of_its_tests(tmp_path: Path) -> None:
    suite = load_rows(tmp_path, SANITIZED, name="mbpp_sanitized.jsonl")
    assert suite.version == "MBPP sanitized, 1 tasks"
    assert passes(suite, "Mbpp/2", suite.reference("Mbpp/2"), "def half_pi(x): return x") == [True, False]


def test_the_prompt_holds_text_and_assertions_and_the_reply_is_a_program(tmp_path: Path) -> None:
    suite = load_rows(tmp_path, FULL, TREE)
    prompt = suite.prompt("Mbpp/12", [])
    assert prompt is not None
    for text in ("tell whether a node", "root.left = Node()", *TREE["test_list"]):
        assert text in prompt.request
    reply = (
        f"{prompt.beginning}class Node:\n    left = None\n\ndef has_child(node):\n"
        "    return node.left is not None\n\nprint(has_child(Node()))\n```"
    )
    solution = suite.extract("Mbpp/12", [reply])
    assert "print" not in solution
    assert passes(suite, "Mbpp/12", solution) == [True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_list": "assert"}, "test_list: must be a list"),
        ({"test_list": ["assert 1"]}, "uses nothing that code defines"),
        ({"code": "def"}, "not Python"),
        ({"task_id": "x"}, "task_id"),
        ({"task_id": 600}, "none of the tasks 11 to 510"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        load_rows(tmp_path, FULL | change)


@pytest.mark.skipif("INVERSE_INSTRUCT_TEST_DATA" not in os.environ, reason="needs the benchmarks' files")
@pytest.mark.parametrize(("name", "tasks"), [("mbpp.jsonl.gz", 500), ("mbpp_sanitized.jsonl.gz", 427)])
def test_all_references_pass(name: str, tasks: int) -> None:
    [file] = Path(os.environ["INVERSE_INSTRUCT_TEST_DATA"]).rglob(name)
    suite = load(str(file))
    assert len(suite.task_ids) == tasks
    with suite.examiner(Execution()) as examine:
        verdicts = list(examine([Sample(task_id, 0, suite.reference(task_id)) for task_id in suite.task_ids]))
    assert [verdict for verdict in verdicts if not verdict.passed] == []

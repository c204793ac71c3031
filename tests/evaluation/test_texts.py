"""What a benchmark says is read alike from a suite and from its file, whichever kind of file that is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.errors import BenchmarkError
from evaluation.rows import Row
from evaluation.suites import FAMILIES, SUITES
from evaluation.texts import TaskTexts, read_texts, texts_of

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def twice(x):\n    """Return twice x.\n    >>> twice(2)\n    """\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
EVALPLUS = HUMANEVAL | {"base_input": [[1]], "plus_input": [[2]], "contract": "", "atol": 0}
MBPP = {
    "task_id": 12,
    "text": "Write a function to double.",
    "code": "def twice(x):\r\n  return 2 * x",
    "test_setup_code": "",
    "test_list": ["assert twice(1) == 2"],
}
DS1000 = {
    "prompt": "Problem:\nDouble the frame.\nA:\n<code>\n# load it\ndf = load()\n</code>\nBEGIN SOLUTION\n<code>\n",
    "reference_code": "df = df * 2",
    "code_context": "import copy",
    "metadata": {"library": "Pandas", "perturbation_type": "Origin", "problem_id": 3},
}
EDITEVAL = {
    "task_id": "EditEval/1",
    "instruction": "Double it.",
    "context": "",
    "input": "def f(x):\n    return x",
    "output": "def f(x):\n    return 2 * x",
    "test": "def check():\n    assert f(1) == 2",
}
PACK = HUMANEVAL | {
    "task_id": "Python/0",
    "declaration": "def twice(x):\n",
    "text": "Return twice x.",
    "docstring": "Return twice x.\n>>> twice(2)",
    "buggy_solution": "    return x\n",
    "instruction": "Write `twice`.",
}
MULTIPL_E = {
    "name": "HumanEval_0_twice",
    "task_id": "HumanEval_0_twice",
    "language": "js",
    "prompt": "//Return twice x.\n// >>> twice(2)\nfunction twice(x){\n",
    "tests": "}",
    "stop_tokens": ["\n}"],
}
ROWS: dict[str, tuple[dict[str, Any], TaskTexts]] = {
    "humaneval": (
        HUMANEVAL,
        TaskTexts("HumanEval/0", ("Return twice x.\n    ",), (HUMANEVAL["prompt"], "    return 2 * x\n")),
    ),
    "humaneval_plus": (
        EVALPLUS,
        TaskTexts("HumanEval/0", ("Return twice x.\n    ",), (HUMANEVAL["prompt"], "    return 2 * x\n")),
    ),
    "mbpp": (MBPP, TaskTexts("mbpp/12", ("Write a function to double.",), ("def twice(x):\r\n  return 2 * x",))),
    "ds1000": (
        DS1000,
        TaskTexts("ds1000/3", ("Problem:\nDouble the frame.\nA:\n",), (str(DS1000["prompt"]), "df = df * 2")),
    ),
    "editeval": (EDITEVAL, TaskTexts("EditEval/1", ("Double it.",), (EDITEVAL["input"], EDITEVAL["output"]))),
    "humanevalfix_python": (
        PACK,
        TaskTexts(
            "Python/0",
            ("Return twice x.", "Return twice x.\n", "Write `twice`.", "Return twice x.\n    "),
            (HUMANEVAL["prompt"], "    return 2 * x\n", "    return x\n"),
        ),
    ),
    "multipl_e_js": (
        MULTIPL_E,
        TaskTexts("HumanEval_0_twice (js)", ("Return twice x.\n",), (str(MULTIPL_E["prompt"]),)),
    ),
}


def plain(path: Path, row: dict[str, Any]) -> Path:
    path.write_text(json.dumps(row) + "\n")
    return path


def packed(path: Path, row: dict[str, Any]) -> Path:
    path = path.with_suffix(".jsonl.gz")
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    return path


def array(path: Path, row: dict[str, Any]) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps([row]))
    return path


def parquet(path: Path, row: dict[str, Any]) -> Path:
    path = path.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist([row]), path)
    return path


@pytest.mark.parametrize("kind", [plain, packed, array, parquet])
@pytest.mark.parametrize("name", ROWS)
def test_a_suite_and_its_file_say_the_same(tmp_path: Path, name: str, kind: Any) -> None:
    row, texts = ROWS[name]
    path = kind(tmp_path / f"{name}.jsonl", row)
    assert read_texts(path) == (texts,)
    assert tuple(SUITES[name](str(path)).texts) == (texts,)


def test_rows_that_are_no_tasks_of_the_suite_are_told_too(tmp_path: Path) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(json.dumps(MBPP | {"task_id": number}) + "\n" for number in (3, 12, 700)))
    suite = SUITES["mbpp"](str(path))
    assert list(suite.task_ids) == ["Mbpp/12"]
    assert [task.task for task in suite.texts] == ["mbpp/3", "mbpp/12", "mbpp/700"]


@pytest.mark.parametrize(
    ("prompt", "prose"),
    [
        ("Problem:\nPlot a line.\n<code>\n# import all\nx = 1\n</code>\n", ("Problem:\nPlot a line.\n",)),
        ("import matplotlib\n# Plot a line in red\n# SOLUTION START\n", ("Plot a line in red\nSOLUTION START",)),
        ("Plot a line.", ("Plot a line.",)),
    ],
)
def test_comments_of_given_code_are_no_description(prompt: str, prose: tuple[str, ...]) -> None:
    assert texts_of([Row("x:1", {"prompt": prompt})], "b")[0].prose == prose


def test_what_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no such file"):
        read_texts(tmp_path / "x.jsonl")
    with pytest.raises(BenchmarkError, match="holds no benchmark"):
        read_texts(plain(tmp_path / "y.jsonl", {"a": 1}))


def test_families_hold_suites_that_read_the_same_files() -> None:
    members = [name for groups in FAMILIES.values() for group in groups for name in group]
    assert set(members) <= set(SUITES) and len(members) == len(set(members))
    assert {name for name in SUITES if name.startswith(("multipl_e_", "humaneval"))} - set(members) == {
        "humaneval",
        "humaneval_plus",
    }

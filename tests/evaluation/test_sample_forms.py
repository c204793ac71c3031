"""Every suite takes OpenAI's form of a sample and EvalPlus's, and gives both the same verdict."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation import Execution, read_samples
from evaluation.suites import SUITES
from tests.evaluation.test_bigcodebench import ROW as BIGCODEBENCH_ROW
from tests.evaluation.test_bigcodebench import SOLUTION as BIGCODEBENCH_SOLUTION
from tests.evaluation.test_ds1000 import ROWS as DS1000_ROWS
from tests.evaluation.test_editeval import BARE
from tests.evaluation.test_humaneval_original import ROW as HUMANEVAL_ROW
from tests.evaluation.test_livecodebench import SUM, SUM_SOLUTION
from tests.evaluation.test_mbpp_original import FULL

PLUS = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Double it."""\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "base_input": [[1]],
    "plus_input": [[2]],
    "contract": "",
    "atol": 0,
}
PACK = {
    "task_id": "Python/0",
    "declaration": "def double(x: int) -> int:\n",
    "canonical_solution": "    return 2 * x\n",
    "prompt": 'def double(x: int) -> int:\n    """Double it."""\n',
    "buggy_solution": "    return x\n",
    "test": "def check(double):\n    assert double(1) == 2\n\ncheck(double)\n",
    "entry_point": "double",
    "instruction": "Double it.",
    "docstring": "Double it.",
}

CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "humaneval": ("HumanEval.jsonl", HUMANEVAL_ROW, HUMANEVAL_ROW["canonical_solution"], "    return 0\n"),
    "humaneval_plus": ("HumanEvalPlus.jsonl", PLUS, "    return 2 * x\n", "    return x\n"),
    "mini": ("HumanEvalPlus.jsonl", PLUS, "    return 2 * x\n", "    return x\n"),
    "mbpp": ("mbpp.jsonl", FULL, "def plus(a, b):\n    return a + b\n", "def plus(a, b):\n    return a\n"),
    "mbpp_plus": (
        "MbppPlus.jsonl",
        PLUS
        | {
            "task_id": "Mbpp/2",
            "canonical_solution": "def double(x):\n    return 2 * x\n",
            "prompt": '"""\nDouble it.\nassert double(1) == 2\n"""\n',
        },
        "def double(x):\n    return 2 * x\n",
        "def double(x):\n    return x\n",
    ),
    "editeval": ("edit_eval.jsonl", BARE, BARE["output"], BARE["input"]),
    **{
        name: ("BigCodeBench.jsonl", BIGCODEBENCH_ROW, BIGCODEBENCH_SOLUTION, "    return []\n")
        for name in ("bigcodebench", "bigcodebench_complete")
    },
    "livecodebench": ("test.jsonl", SUM, SUM_SOLUTION, "print(3)"),
    "ds1000": ("ds1000.jsonl", DS1000_ROWS[0], "ordered = sorted(values)", "ordered = values"),
    **{
        f"{mode}_python": ("python.jsonl", PACK, "    return 2 * x\n", "    return x\n")
        for mode in ("humanevalfix", "humanevalfix_docs", "humanevalexplain", "humanevalsynthesize")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_both_forms_are_taken_by_every_suite(tmp_path: Path, name: str) -> None:
    file, row, right, wrong = CASES[name]
    (tmp_path / file).write_text(json.dumps(row) + "\n")
    suite = SUITES[name](str(tmp_path / file))
    [task] = suite.task_ids
    rows = [
        {form: before + text, "task_id": task}
        for form, before in (("completion", ""), ("solution", suite.stem(task)))
        for text in (right, wrong)
    ]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples = read_samples(tmp_path / "samples.jsonl", [task], {task: suite.stem(task)})
    with suite.examiner(Execution(workers=1, python=Path(sys.executable))) as examine:
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    assert [verdict.passed for verdict in verdicts] == [True, False, True, False], verdicts


def test_a_case_stands_for_every_suite_in_python() -> None:
    others = {name for name in SUITES if name.startswith("multipl_e_") or "_python" not in name}
    assert set(SUITES) - CASES.keys() <= others

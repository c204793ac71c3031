"""DS-1000's rows judge a bare completion in place; what is not there is not measured."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample
from evaluation.suites.ds1000 import Ds1000, load

HERE = Execution(workers=1, python=Path(sys.executable))
CONTEXT = '''
def generate_test_case(number):
    values = [[3, 1, 2], [5, 4]][number - 1]
    return values, sorted(values)

def exec_test(result, ans):
    return int(result == ans)

exec_context = r"""
values = test_input
[insert]
result = ordered
"""

def test_execution(solution: str):
    code = exec_context.replace("[insert]", solution)
    for number in (1, 2):
        test_input, expected = generate_test_case(number)
        test_env = {"test_input": test_input}
        exec(code, test_env)
        assert exec_test(test_env["result"], expected)
'''
NO_LOOP = CONTEXT + '\ndef test_string(solution: str):\n    assert "for" not in solution.split()\n'
FUNCTION = CONTEXT.replace("[insert]\n", "def order(values):\n[insert]\nordered = order(values)\n", 1)
TAIL = "</code>\nordered = ... # put solution in this variable\nBEGIN SOLUTION\n<code>\n"
GIVEN = "import math\nvalues = [3, 1, 2]\n"
BODY = "def order(values):\n    # return the solution in this function\n    ### BEGIN SOLUTION"


def row(number: int, prompt: str, reference: str, context: str) -> dict[str, Any]:
    metadata = {"problem_id": number, "library": "Numpy", "perturbation_type": "Origin", "test_case_cnt": 2}
    return {"prompt": prompt, "reference_code": reference, "metadata": metadata, "code_context": context}


ROWS = [
    row(0, f"Problem:\nSort the values.\nA:\n<code>\n{GIVEN}{TAIL}", "ordered = sorted(values)\n", CONTEXT),
    row(1, f"Problem:\nSort without a loop.\nA:\n<code>\n{GIVEN}{TAIL}", "ordered = sorted(values)", NO_LOOP),
    row(2, f"Problem:\nSort.\nA:\n<code>\n{GIVEN}{BODY}", "    return sorted(values)\n", FUNCTION),
    row(3, f"{GIVEN}\n# sort the values into `ordered`\n# SOLUTION START\n", "ordered = sorted(values)", CONTEXT),
]
LOOP = "ordered = []\nfor value in sorted(values): ordered.append(value)"


def load_rows(folder: Path, rows: list[dict[str, Any]]) -> Ds1000:
    (folder / "ds1000.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return load(str(folder))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Ds1000:
    return load_rows(tmp_path_factory.mktemp("ds1000"), ROWS)


def passes(suite: Ds1000, *samples: tuple[str, str]) -> list[bool]:
    with suite.examiner(HERE) as examine:
        verdicts = list(examine([Sample(task_id, index, code) for index, (task_id, code) in enumerate(samples)]))
    return [verdict.passed for verdict in sorted(verdicts, key=lambda verdict: verdict.sample)]


def test_completions_are_judged_by_both_tests_of_the_row(suite: Ds1000) -> None:
    assert suite.task_ids == ["ds1000/0", "ds1000/1", "ds1000/2", "ds1000/3"]
    references = [(task_id, suite.reference(task_id)) for task_id in suite.task_ids]
    others = [("ds1000/0", "ordered = [1, 2, 3]"), ("ds1000/0", LOOP), ("ds1000/1", LOOP), ("ds1000/2", "return 1")]
    assert passes(suite, *references, *others) == [True] * 4 + [False, True, False, False]


def test_leaving_early_is_no_pass(suite: Ds1000) -> None:
    early = ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit", "ordered = 1\n'''"]
    assert passes(suite, *[("ds1000/0", code) for code in early]) == [False] * len(early)


@pytest.mark.parametrize("number", range(4))
def test_the_reply_goes_on_after_the_given_code(suite: Ds1000, number: int) -> None:
    task_id = f"ds1000/{number}"
    prompt = suite.prompt(task_id, [])
    assert prompt is not None and ROWS[number]["prompt"] in prompt.request
    assert prompt.beginning.startswith(f"```python\n{GIVEN}")
    assert suite.prompt(task_id, [""]) is None
    reply = f"{prompt.beginning}{suite.reference(task_id).rstrip()}\n# SOLUTION END\nprint(ordered)\n```\nDone."
    assert suite.extract(task_id, [reply]).rstrip() == suite.reference(task_id).rstrip()


ANSWER = "ordered = sorted(values)"


@pytest.mark.parametrize(
    "reply",
    [
        ANSWER,
        f"```python\n{ANSWER}\n```",
        f"Sure, here it is:\n\n```python\n{GIVEN}\n# sorted\n{ANSWER}\n```\nIt sorts.\n```\n[1, 2, 3]\n```",
        f"<code>\n{ANSWER}\n</code>\nThis sorts the values.",
        f"A:\n<code>\n{GIVEN}</code>\nBEGIN SOLUTION\n<code>\n{ANSWER}\n</code>\nEND SOLUTION",
        f"{ANSWER}\n# SOLUTION END\nprint(1)",
        f"```python\nordered = values\n```\nNo:\n```python\n{ANSWER}\n```\n```python\nprint(ordered)\n```",
        f"<think>\n```python\nordered = values\n```\n</think>\n```python\n{ANSWER}\n```",
    ],
)
def test_the_completion_is_found_in_replies_of_any_shape(suite: Ds1000, reply: str) -> None:
    solution = suite.extract("ds1000/0", [reply])
    assert ANSWER in solution.splitlines()
    assert not {"import math", "values = [3, 1, 2]", "</code>", "It sorts."} & set(solution.splitlines())
    assert passes(suite, ("ds1000/0", solution)) == [True]


@pytest.mark.parametrize(
    "reply",
    [
        "return sorted(values)",
        "    return sorted(values)",
        f"```python\n{GIVEN}def order(values):\n    return sorted(values)\n```",
        "```python\ndef order(values):\n    return values\n```\nor\n"
        "```python\ndef order(values):\n    return sorted(values)\n```",
    ],
)
def test_the_body_of_a_function_gets_its_indentation(suite: Ds1000, reply: str) -> None:
    assert suite.extract("ds1000/2", [reply]).rstrip() == "    return sorted(values)"


def test_what_is_not_there_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.suites.ds1000.missing_modules", lambda python, names: ["statsmodels", "xgboost"])
    lacking = row(4, GIVEN, "x = 1", CONTEXT + "\nimport xgboost\nimport statsmodels")
    data = row(5, GIVEN, "x = 1", CONTEXT + "\nsns.load_dataset('tips')\nfetch_california_housing()")
    suite = load_rows(tmp_path, [ROWS[0], lacking, data])
    nothing = suite.not_measured(Execution())
    assert list(nothing) == list(suite.task_ids)
    assert "launch/ds1000_environment.sh" in nothing["ds1000/0"]
    reasons = suite.not_measured(HERE)
    assert list(reasons) == ["ds1000/4", "ds1000/5"]
    assert "lacks statsmodels, xgboost:" in reasons["ds1000/4"]
    assert "lacks cal_housing_py3.pkz, tips.csv:" in reasons["ds1000/5"]


def test_without_an_interpreter_nothing_is_judged(suite: Ds1000, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="launch/ds1000_environment.sh"):
        suite.examiner(Execution())
    with pytest.raises(BenchmarkError, match="not a Python that can be run"):
        suite.not_measured(Execution(python=tmp_path / "python"))


def test_tasks_are_grouped_by_library_and_perturbation(suite: Ds1000) -> None:
    assert suite.group("ds1000/1") == {"library": "Numpy", "perturbation": "Origin"}


@pytest.mark.slow
@pytest.mark.skipif(
    not {"INVERSE_INSTRUCT_TEST_DATA", "DS1000_PYTHON"} <= os.environ.keys(),
    reason="needs the benchmarks' files, and the interpreter that launch/ds1000_environment.sh prints",
)
def test_all_measured_references_pass() -> None:
    suite = load(os.environ["INVERSE_INSTRUCT_TEST_DATA"])
    execution = Execution(python=Path(os.environ["DS1000_PYTHON"]))
    measured = [task_id for task_id in suite.task_ids if task_id not in suite.not_measured(execution)]
    assert len(measured) >= 900
    with suite.examiner(execution) as examine:
        verdicts = list(examine([Sample(task_id, 0, suite.reference(task_id)) for task_id in measured]))
    assert [verdict for verdict in verdicts if not verdict.passed] == []

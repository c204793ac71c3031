"""Agreement is judged against the model's own first answers, right or wrong."""

import pytest

from evaluation import Agreement, BenchmarkError, Problem, Sandbox, judge_agreement, self_consistency


def problem(task_id: str) -> Problem:
    return Problem(task_id, "def f(x):\n", "f", "    return x + 1\n", ([1], [2]), ([0],), "", 0.0)


PROBLEMS = [problem(f"T/{number}") for number in range(6)]
FIRST = {
    "T/0": "def f(x): return x + 1",
    "T/1": "def f(x): return x * 100",  # wrong, but it may agree with itself
    "T/2": "def f(x): return 1 // x",  # raises on a plus input
    "T/3": "def f(x): return x",
    "T/4": "def f(x): return x",
    "T/5": "def f(x) return",
}
SECOND = {
    "T/0": "def f(x): return 1 + x",
    "T/1": "def f(x): return 100 * x",
    "T/3": "def f(x): return x or 7",  # differs on the plus input alone
    "T/4": "def f(x): return None",
}


def agreement(sandbox: Sandbox, *tasks: str) -> list[Agreement]:
    known = {item.task_id: item for item in PROBLEMS}
    return list(judge_agreement(known, [(task, FIRST[task], SECOND.get(task, "")) for task in tasks], sandbox))


def test_rates_rows_and_removed(sandbox: Sandbox) -> None:
    rows = sorted(agreement(sandbox, *FIRST), key=lambda row: row.task_id)
    assert [(row.task_id, row.removed, row.base, row.plus) for row in rows] == [
        ("T/0", None, True, True),
        ("T/1", None, True, True),
        ("T/2", "exception", None, None),
        ("T/3", None, True, False),
        ("T/4", None, False, False),
        ("T/5", "syntax", None, None),
    ]
    result = self_consistency(rows)
    assert (result.problems, result.removed) == (4, {"exception": 1, "syntax": 1})
    assert result.base is not None and result.plus is not None
    assert (result.base.rate, result.plus.rate) == (0.75, 0.5)
    assert result.plus.low < 0.5 < result.plus.high


def test_outputs_that_cannot_be_compared_agree_with_nothing(sandbox: Sandbox) -> None:
    code = "def f(x): return iter([x])"
    [row] = judge_agreement({"T/0": PROBLEMS[0]}, [("T/0", code, code)], sandbox)
    assert (row.removed, row.base) == (None, False)


def test_nothing_left_is_not_measured(sandbox: Sandbox) -> None:
    result = self_consistency(agreement(sandbox, "T/5"))
    assert (result.base, result.plus, result.problems) == (None, None, 0)


def test_answers_must_be_to_the_problems(sandbox: Sandbox) -> None:
    with pytest.raises(BenchmarkError, match="do not fit"):
        list(judge_agreement({}, [("T/0", "", "")], sandbox))

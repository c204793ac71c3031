"""Agreement is judged against the model's own first answers, right or wrong."""

import pytest

from evaluation import BenchmarkError, Problem, Sandbox, own_outputs, self_consistency


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


def test_rates_rows_and_removed(sandbox: Sandbox) -> None:
    own = own_outputs(PROBLEMS, FIRST, sandbox)
    assert own.removed == {"T/2": "exception", "T/5": "syntax"}
    assert list(own.kept) == ["T/0", "T/1", "T/3", "T/4"]
    result = self_consistency(PROBLEMS, own, SECOND, sandbox)
    assert (result.problems, result.removed) == (4, own.removed)
    assert (result.base.rate, result.plus.rate) == (0.75, 0.5)
    assert [(row.task_id, row.base, row.plus) for row in result.rows] == [
        ("T/0", True, True),
        ("T/1", True, True),
        ("T/3", True, False),
        ("T/4", False, False),
    ]
    assert result.plus.low < 0.5 < result.plus.high


def test_outputs_that_cannot_be_compared_agree_with_nothing(sandbox: Sandbox) -> None:
    codes = {"T/0": "def f(x): return iter([x])"}
    own = own_outputs(PROBLEMS[:1], codes, sandbox)
    assert self_consistency(PROBLEMS[:1], own, codes, sandbox).base.rate == 0.0


def test_nothing_left_is_not_measured(sandbox: Sandbox) -> None:
    own = own_outputs(PROBLEMS[:1], {"T/0": "oops"}, sandbox)
    with pytest.raises(BenchmarkError, match="not measured"):
        self_consistency(PROBLEMS[:1], own, {}, sandbox)


def test_codes_must_be_those_of_the_problems(sandbox: Sandbox) -> None:
    with pytest.raises(BenchmarkError, match="do not fit"):
        own_outputs(PROBLEMS, {"T/0": "x"}, sandbox)
    own = own_outputs(PROBLEMS[:1], {"T/0": FIRST["T/0"]}, sandbox)
    with pytest.raises(BenchmarkError, match="do not fit"):
        self_consistency(PROBLEMS[:1], own, {}, sandbox)

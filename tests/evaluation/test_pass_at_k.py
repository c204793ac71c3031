"""Verdicts tell base from plus and name the reason; pass@k matches its definition."""

import itertools
import statistics

import pytest

from evaluation import BenchmarkError, Problem, Sandbox, Verdict, judge_codes, pass_at_k, pass_rate

DOUBLE = Problem("T/0", "def f(x):\n", "f", "    return 2 * x\n", ([1], [2]), ([0], [-3]), "", 0.0)


@pytest.mark.parametrize(
    ("body", "base", "plus", "reason", "detail"),
    [
        ("return x + x", True, True, None, ""),
        ("return abs(2 * x)", True, False, "assertion", "input 3: expected -6, got 6"),
        ("return 2 * x if x else [][0]", True, False, "exception", "input 2: IndexError: list index out of range"),
        ("return 2 if x < 2 else 5", False, False, "assertion", "input 1: expected 4, got 5"),
        ("return str(x) * 3000", False, False, "assertion", "input 0: expected 2, got '1111"),
        ("return 10 ** 9999", False, False, "assertion", "a very long number"),
        ("import os; os._exit(0)", False, False, "exited", "status 0"),
    ],
)
def test_verdicts(sandbox: Sandbox, body: str, base: bool, plus: bool, reason: str | None, detail: str) -> None:
    [verdict] = judge_codes([DOUBLE], {"T/0": [f"def f(x):\n    {body}\n"]}, sandbox)
    assert (verdict.base, verdict.plus, verdict.reason) == (base, plus, reason)
    assert detail in verdict.detail


def test_a_failure_on_plus_inputs_alone_is_not_hidden_by_a_pass_on_base(sandbox: Sandbox) -> None:
    wrong_on_base = "def f(x):\n    return 2 * x if x != 1 else 0\n"
    [verdict] = judge_codes([DOUBLE], {"T/0": [wrong_on_base]}, sandbox)
    assert (verdict.base, verdict.plus) == (False, False)


def test_samples_must_fit_the_benchmark(sandbox: Sandbox) -> None:
    for codes in ({}, {"T/0": ["x"], "T/1": ["x"]}):
        with pytest.raises(BenchmarkError, match="do not fit"):
            list(judge_codes([DOUBLE], codes, sandbox))


def test_a_failing_canonical_solution_is_the_benchmarks_fault(sandbox: Sandbox) -> None:
    broken = Problem("T/9", "def f(x):\n", "f", "    return 1 / x\n", ([0],), (), "", 0.0)
    with pytest.raises(BenchmarkError, match="T/9: its canonical solution fails: exception: ZeroDivisionError"):
        list(judge_codes([broken], {"T/9": ["x"]}, sandbox))


def test_pass_at_k_is_the_share_of_subsets_with_a_pass() -> None:
    for samples, correct, k in itertools.product(range(1, 7), range(7), range(1, 7)):
        if correct <= samples and k <= samples:
            subsets = itertools.combinations([number < correct for number in range(samples)], k)
            assert pass_at_k(samples, correct, k) == pytest.approx(statistics.fmean(map(any, subsets)))


@pytest.mark.parametrize(
    ("samples", "correct", "k", "golden"),
    [(10, 3, 1, 0.3), (10, 3, 5, 0.9166666667), (200, 20, 10, 0.6602256238), (5, 0, 5, 0.0), (5, 1, 5, 1.0)],
)
def test_pass_at_k_golden(samples: int, correct: int, k: int, golden: float) -> None:
    assert pass_at_k(samples, correct, k) == pytest.approx(golden, abs=1e-9)


@pytest.mark.parametrize(("samples", "correct", "k"), [(5, 6, 1), (5, -1, 1), (5, 1, 6), (5, 1, 0)])
def test_pass_at_k_outside_its_domain(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="undefined"):
        pass_at_k(samples, correct, k)


def verdict(task: str, base: bool, plus: bool) -> Verdict:
    return Verdict(task, 0, base, plus, None if plus else "assertion", "", 0.1)


def test_pass_rate_of_one_sample_each() -> None:
    rate = pass_rate([verdict("a", True, True), verdict("b", True, False), verdict("c", False, False)])
    assert (rate.k, rate.problems, rate.samples) == (1, 3, 3)
    assert rate.base.rate == pytest.approx(2 / 3)
    assert rate.plus.rate == pytest.approx(1 / 3)
    assert rate.plus.low < 1 / 3 < rate.plus.high


def test_pass_rate_of_several_samples_averages_problems() -> None:
    verdicts = [
        verdict("a", True, True),
        verdict("a", True, False),
        verdict("b", False, False),
        verdict("b", True, True),
    ]
    assert pass_rate(verdicts).plus.rate == 0.5
    assert pass_rate(verdicts).base.rate == 0.75
    assert pass_rate(verdicts, k=2).plus.rate == 1.0
    with pytest.raises(ValueError, match="undefined"):
        pass_rate(verdicts, k=3)
    with pytest.raises(ValueError, match="not measured"):
        pass_rate([])

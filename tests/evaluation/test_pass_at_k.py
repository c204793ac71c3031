"""pass@k matches its definition, and rates know what was not measured."""

import itertools
import statistics

import pytest

from evaluation import Verdict, pass_at_k, pass_rate


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


def verdict(task: str, base: bool, plus: bool | None) -> Verdict:
    return Verdict(task, 0, base, plus, None if plus else "assertion", "", 0.1)


def test_pass_rate_of_one_sample_each() -> None:
    rate = pass_rate([verdict("a", True, True), verdict("b", True, False), verdict("c", False, False)])
    assert (rate.k, rate.problems, rate.samples) == (1, 3, 3)
    assert rate.base.rate == pytest.approx(2 / 3)
    assert rate.plus is not None
    assert rate.plus.rate == pytest.approx(1 / 3)
    assert rate.plus.low < 1 / 3 < rate.plus.high


def test_pass_rate_of_several_samples_averages_problems() -> None:
    verdicts = [
        verdict("a", True, True),
        verdict("a", True, False),
        verdict("b", False, False),
        verdict("b", True, True),
    ]
    once = pass_rate(verdicts)
    assert once.base and once.plus and (once.base.rate, once.plus.rate) == (0.75, 0.5)
    twice = pass_rate(verdicts, k=2)
    assert twice.plus and twice.plus.rate == 1.0
    with pytest.raises(ValueError, match="undefined"):
        pass_rate(verdicts, k=3)
    with pytest.raises(ValueError, match="not measured"):
        pass_rate([])


def test_a_suite_without_plus_tests_has_no_plus_rate() -> None:
    rate = pass_rate([verdict("a", True, None), verdict("b", False, None)])
    assert (rate.base.rate, rate.plus) == (0.5, None)

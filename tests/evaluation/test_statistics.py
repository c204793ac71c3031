"""Statistics against numbers worked out by hand or by definition."""

import pytest

from evaluation import bootstrap_estimate, compare_paired, holm, minimum_detectable_effect, wilson_estimate


def test_wilson_by_hand() -> None:
    # z = 1.959964; z^2 = 3.841459. 8 of 10: center (0.8 + 0.192073) / 1.384146 = 0.716740,
    # spread 1.959964 * sqrt(0.016 + 0.009604) / 1.384146 = 0.226578.
    estimate = wilson_estimate(8, 10)
    assert estimate.rate == 0.8
    assert estimate.low == pytest.approx(0.490162, abs=2e-6)
    assert estimate.high == pytest.approx(0.943318, abs=2e-6)


def test_wilson_at_the_ends() -> None:
    none, all_of_them = wilson_estimate(0, 10), wilson_estimate(10, 10)
    assert (none.low, all_of_them.high) == (0.0, 1.0)
    assert none.high == pytest.approx(3.841459 / 13.841459, abs=1e-6)
    assert all_of_them.low == pytest.approx(10 / 13.841459, abs=1e-6)


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson_estimate(successes, total)


def paired(gained: int, lost: int, both: int = 0, neither: int = 0) -> tuple[dict[str, bool], dict[str, bool]]:
    pairs = [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * both + [(False, False)] * neither
    baseline = {f"T/{number}": pair[0] for number, pair in enumerate(pairs)}
    return baseline, {f"T/{number}": pair[1] for number, pair in enumerate(pairs)}


def test_paired_comparison_lists_gained_and_lost() -> None:
    comparison = compare_paired(*paired(gained=1, lost=2, both=3, neither=4))
    assert comparison.gained == ("T/0",)
    assert comparison.lost == ("T/1", "T/2")
    assert comparison.difference.rate == pytest.approx(-0.1)
    assert comparison.difference.low < -0.1 < comparison.difference.high


def test_several_samples_are_compared_by_their_pass_rates() -> None:
    comparison = compare_paired({"a": 0.5, "b": 0.5, "c": 1.0}, {"a": 0.75, "b": 0.25, "c": 1.0})
    assert (comparison.gained, comparison.lost, comparison.difference.rate) == (("a",), ("b",), 0.0)
    assert comparison.p_two_sided == 1.0


def test_no_difference_has_no_spread() -> None:
    comparison = compare_paired(*paired(gained=0, lost=0, both=3, neither=4))
    assert (comparison.difference.low, comparison.difference.high, comparison.p_two_sided) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("gained", "lost", "two_sided", "worse"),
    [
        (0, 0, 1.0, 1.0),
        (0, 5, 2 / 32, 1 / 32),
        (5, 0, 2 / 32, 1.0),
        (1, 5, 14 / 64, 7 / 64),
        (3, 3, 1.0, 42 / 64),
        (2, 8, 112 / 1024, 56 / 1024),
    ],
)
def test_exact_mcnemar(gained: int, lost: int, two_sided: float, worse: float) -> None:
    comparison = compare_paired(*paired(gained, lost, both=7, neither=2))
    assert comparison.p_two_sided == pytest.approx(two_sided)
    assert comparison.p_worse == pytest.approx(worse)


def test_paired_comparison_needs_the_same_problems() -> None:
    with pytest.raises(ValueError, match="not the same problems"):
        compare_paired({"a": True}, {"b": True})


def test_bootstrap_is_reproducible_and_near_the_normal_interval() -> None:
    values = [0.0] * 50 + [1.0] * 50
    estimate = bootstrap_estimate(values)
    assert estimate == bootstrap_estimate(values)
    assert estimate.rate == 0.5
    assert estimate.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert estimate.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


def test_bootstrap_of_equal_values_has_no_width_and_of_none_is_refused() -> None:
    estimate = bootstrap_estimate([0.25, 0.25])
    assert (estimate.rate, estimate.low, estimate.high) == (0.25, 0.25, 0.25)
    with pytest.raises(ValueError, match="not measured"):
        bootstrap_estimate([])


def test_minimum_detectable_effect_solves_the_sample_size_formula() -> None:
    effect = minimum_detectable_effect(164, 0.1)
    assert effect is not None
    needed = (1.959964 * 0.1**0.5 + 0.841621 * (0.1 - effect**2) ** 0.5) ** 2 / effect**2
    assert needed == pytest.approx(164, abs=0.01)
    assert effect == pytest.approx(0.0687, abs=1e-4)


def test_minimum_detectable_effect_may_not_exist() -> None:
    assert minimum_detectable_effect(32, 0.05) is None
    with pytest.raises(ValueError, match="share"):
        minimum_detectable_effect(32, 0)


def test_holm_corrects_in_the_order_of_the_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # the textbook's steps by hand
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([0.05]) == [0.05] and holm([]) == []

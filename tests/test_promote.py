"""The gate: each way to pass and to be refused."""

from __future__ import annotations

from inverse_instruct.config import PromoteSection
from inverse_instruct.promote import decide

TASKS = [f"T/{number}" for number in range(20)]


def verdicts(passed: int, start: int = 0) -> dict[str, bool]:
    return {task: start <= number < start + passed for number, task in enumerate(TASKS)}


def test_the_first_checkpoint_is_promoted() -> None:
    decision = decide(PromoteSection(), verdicts(0), None)
    assert decision.promoted and decision.p_worse is None


def test_a_clear_loss_is_refused_and_names_the_problems() -> None:
    decision = decide(PromoteSection(), verdicts(5), verdicts(10))
    assert not decision.promoted
    assert decision.lost == tuple(TASKS[5:10]) and decision.gained == ()
    assert decision.p_worse == 1 / 32


def test_a_loss_within_luck_is_promoted() -> None:
    decision = decide(PromoteSection(), verdicts(6), verdicts(10))
    assert decision.promoted and decision.p_worse == 1 / 16


def test_no_difference_and_a_gain_are_promoted() -> None:
    assert decide(PromoteSection(), verdicts(10), verdicts(10)).promoted
    assert decide(PromoteSection(), verdicts(20), verdicts(0)).promoted


def test_the_level_is_config() -> None:
    assert not decide(PromoteSection(alpha=0.1), verdicts(6), verdicts(10)).promoted

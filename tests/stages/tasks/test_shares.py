"""Shares of tasks: exact where all rows are kept, and right in what is kept where tasks differ in their luck."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from inverse_instruct.config.tasks import SharesSection
from inverse_instruct.stages.tasks.shares import assign, largest_remainders, quotas

PAPER = SharesSection().model_dump()
LUCK = {"generation": 0.8, "summarization": 0.9, "repair": 0.45, "translation": 0.5}


def play(shares: dict[str, float], wave: int, rows: int, luck: dict[str, float]) -> tuple[Counter[str], Counter[str]]:
    """Return what was asked and what was kept."""
    chance, asked, kept = random.Random(0), Counter[str](), Counter[str]()
    while asked.total() < rows:
        tasks = assign(quotas(shares, kept, wave), [chance.random() for _ in range(wave)])  # type: ignore[misc]
        asked.update(tasks)
        kept.update(task for task in tasks if chance.random() < luck.get(task, 1))
    return asked, kept


@pytest.mark.parametrize("wave", [1, 4, 7, 32, 500])
@pytest.mark.parametrize("shares", [PAPER, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 0}, {"a": 0.3, "b": 99.7}])
def test_all_rows_kept_are_shared_out_to_a_row(shares: dict[str, float], wave: int) -> None:
    rows = max(wave, 140)
    asked, kept = play(shares, wave, rows, {})
    assert asked == kept
    for task, share in shares.items():
        assert abs(kept[task] - kept.total() * share / sum(shares.values())) <= 1.5


@pytest.mark.parametrize("wave", [16, 64, 128])
def test_what_is_kept_has_the_shares_where_tasks_differ_in_luck(wave: int) -> None:
    asked, kept = play(PAPER, wave, 3000, LUCK)
    for task, share in PAPER.items():
        assert abs(100 * kept[task] / kept.total() - share) < 2
    assert asked["repair"] > 1.4 * 0.158 * asked.total(), "what is hard is asked more often"


def test_a_task_that_never_works_leaves_the_others_most_of_the_questions() -> None:
    asked, kept = play(PAPER, 64, 3000, {"translation": 0.0})
    assert kept["translation"] == 0
    assert asked["translation"] < 0.4 * asked.total()
    assert kept["generation"] / kept.total() == pytest.approx(0.571 / 0.888, abs=0.02)


def test_remainders() -> None:
    assert largest_remainders({"a": 1, "b": 1, "c": 1}, 5) == {"a": 2, "b": 2, "c": 1}
    assert largest_remainders({"a": 57.1, "b": 15.9, "c": 15.8, "d": 11.2}, 1000) == {
        "a": 571, "b": 159, "c": 158, "d": 112,
    }  # fmt: skip
    assert sum(largest_remainders(PAPER, 7).values()) == 7


def test_ranks_say_who_gets_what() -> None:
    assert assign({"a": 1, "b": 2}, [30, 10, 20]) == ["b", "a", "b"]

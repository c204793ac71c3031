"""The rows of a step depend on seed and step alone; every row is trained on once per epoch."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inverse_instruct.training.batches import BatchPlan, MicroBatch, _even_cuts, warmup_steps

LENGTHS = np.array([5, 60, 7, 33, 12, 8, 90, 41, 3, 28, 17])


def plan(**changes: Any) -> BatchPlan:
    values: dict[str, Any] = {"global_batch_size": 4, "micro_batch_size": 2, "ranks": 1, "epochs": 2, "seed": 7}
    return BatchPlan(LENGTHS, **values | changes)


def computed(lengths: NDArray[np.int64], strips: MicroBatch) -> int:
    """Return the tokens of a micro batch, padding included."""
    return sum(len(rows) * int(lengths[rows].max(initial=0)) for rows in strips)


def test_each_epoch_has_every_row_once_in_another_order() -> None:
    batches = plan()
    assert batches.steps == 6
    epochs = [[row for step in steps for row in batches.rows(step)] for steps in (range(3), range(3, 6))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(11))] * 2
    assert epochs[0] != epochs[1]
    assert epochs[0] != [row for step in range(3) for row in plan(seed=8).rows(step)]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("micro", [1, 2, 3, 8])
def test_ranks_and_micro_batches_share_the_same_rows(ranks: int, micro: int) -> None:
    batches = plan(ranks=ranks, micro_batch_size=micro)
    for step in range(batches.steps):
        shares = [batches.micro_batches(step, rank) for rank in range(ranks)]
        assert {len(share) for share in shares} == {batches.accumulation_steps}
        assert max(len(rows) for share in shares for [rows] in share) <= micro
        assert sorted(row for share in shares for [rows] in share for row in rows) == sorted(plan().rows(step))


def test_rows_of_a_micro_batch_are_of_similar_length() -> None:
    [first], [second] = plan().micro_batches(0, 0)
    assert LENGTHS[first].min() >= LENGTHS[second].max()


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("tokens", [1, 60, 100, 250, 10_000])
def test_a_budget_of_tokens_changes_the_split_and_not_the_rows(ranks: int, tokens: int) -> None:
    batches = plan(ranks=ranks, micro_batch_tokens=tokens, global_batch_size=9)
    for step in range(batches.steps):
        shares = [batches.micro_batches(step, rank) for rank in range(ranks)]
        assert {len(share) for share in shares} == {batches.accumulation_steps}
        micro_batches = [strips for share in shares for strips in share]
        longest = LENGTHS[batches.rows(step)].max()
        assert all(computed(LENGTHS, strips) <= max(tokens, longest) for strips in micro_batches)
        assert sorted(row for strips in micro_batches for rows in strips for row in rows) == sorted(
            plan(global_batch_size=9).rows(step)
        )
        for number in range(batches.accumulation_steps):
            assert len({len(share[number]) for share in shares}) == 1, "ranks pass forward equally often"


def test_the_largest_strip_is_as_small_as_so_many_allow() -> None:
    lengths = np.array([90, 60, 41, 33, 28, 17, 12, 8, 7, 5, 3])
    ways = [
        max(len(piece) * piece[0] for piece in np.split(lengths, cuts) if len(piece))
        for cuts in combinations(range(1, len(lengths)), 3)
    ]
    largest = [len(piece) * piece[0] for piece in np.split(lengths, _even_cuts(lengths, 4)) if len(piece)]
    assert max(largest) == min(ways)


def test_a_budget_of_tokens_leaves_little_padding_and_waiting() -> None:
    lengths = np.random.default_rng(0).lognormal(5.3, 0.6, 4096).clip(20, 2048).astype(np.int64)
    batches = BatchPlan(
        lengths,
        global_batch_size=512,
        micro_batch_size=1,
        micro_batch_tokens=16_384,
        ranks=8,
        epochs=1,
        seed=0,
    )
    assert batches.accumulation_steps <= 2
    padded = waited = 0
    for step in range(batches.steps):
        shares = [batches.micro_batches(step, rank) for rank in range(8)]
        for pieces in zip(*shares, strict=True):
            work = [computed(lengths, strips) for strips in pieces]
            padded, waited = padded + sum(work), waited + 8 * max(work)
    assert padded / lengths.sum() <= 1.05 and waited / padded <= 1.05


def test_few_rows_make_one_step_per_epoch() -> None:
    batches = plan(global_batch_size=512, epochs=3)
    assert (batches.steps, batches.rows_per_step, batches.accumulation_steps) == (3, 11, 6)


@pytest.mark.parametrize(("epochs", "steps"), [(0.1, 1), (0.5, 2), (1, 3), (1.4, 5), (0.3333333333333333, 1)])
def test_fractions_of_an_epoch_round_up(epochs: float, steps: int) -> None:
    assert plan(epochs=epochs).steps == steps


@pytest.mark.parametrize(("wanted", "steps", "expected"), [(15, 214, 15), (15, 40, 4), (15, 8, 0), (0, 100, 0)])
def test_warm_up_is_at_most_a_tenth(wanted: int, steps: int, expected: int) -> None:
    assert warmup_steps(wanted, steps) == expected

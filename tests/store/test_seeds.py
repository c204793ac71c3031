"""A seed depends on every part of what it is for, and stays what it is from release to release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inverse_instruct.store.seeds import benchmark_seed, choice_seed, phase_seed, sampling_seed

Seed = Callable[..., int]
SEEDS: list[tuple[Seed, tuple[Any, ...], int]] = [  # of what, and the value, worked out from the SHA-256 by hand
    (sampling_seed, (7, 2, "0123456789abcdef", 3), 848691878),
    (choice_seed, (7, 2, "0123456789abcdef"), 5434242964713963618),
    (phase_seed, (7, 1), 379189861),
    (benchmark_seed, (7, "mini", "Mini/0", 2, "answer 0"), 978692363),
]
OTHER = {str: "other", int: 5}


@pytest.mark.parametrize(("seed", "parts", "value"), SEEDS)
def test_a_seed_is_the_same_in_every_release(seed: Seed, parts: tuple[Any, ...], value: int) -> None:
    assert seed(*parts) == value


@pytest.mark.parametrize(
    ("seed", "parts", "place"), [(seed, parts, place) for seed, parts, _ in SEEDS for place in range(len(parts))]
)
def test_another_part_is_another_seed(seed: Seed, parts: tuple[Any, ...], place: int) -> None:
    other = [*parts[:place], OTHER[type(parts[place])], *parts[place + 1 :]]
    assert seed(*other) != seed(*parts)


def test_parts_are_kept_apart() -> None:
    assert sampling_seed(2, 7, "s", 3) != sampling_seed(7, 2, "s", 3), "they are in an order"
    assert sampling_seed(1, 12, "s", 0) != sampling_seed(11, 2, "s", 0)
    assert sampling_seed(1, 2, "s1", 0) != sampling_seed(1, 2, "s", 10)
    assert sampling_seed(1, 2, "s", "0") != sampling_seed(1, 2, "s", 0) != sampling_seed(1, 2, "s")


@pytest.mark.parametrize(("seed", "parts"), [(seed, parts) for seed, parts, _ in SEEDS if seed is not choice_seed])
def test_seeds_fit_what_engines_take_and_fill_it(seed: Seed, parts: tuple[Any, ...]) -> None:
    seeds = [seed(number, *parts[1:]) for number in range(200)]
    assert len(set(seeds)) == 200
    assert 0 <= min(seeds) < 2**28 and 7 * 2**28 < max(seeds) < 2**31, "they are spread over the whole range"

"""The greedy choice is the one that the definition gives, in any block, and covers better than chance."""

from __future__ import annotations

import numpy as np
import pytest

from inverse_instruct.corpus import k_center
from inverse_instruct.corpus.k_center import Points, coverage, k_center_greedy


def grid(count: int, dimensions: int, seed: int) -> Points:
    """Return points whose distances float32 has exactly, many of them equal."""
    return np.random.default_rng(seed).integers(0, 6, (count, dimensions)).astype(np.float32)


def by_definition(points: Points, size: int) -> list[int]:
    """Choose with all pairs in memory, in whole numbers."""
    whole = points.astype(np.int64)
    squared = ((whole[:, None] - whole[None]) ** 2).sum(axis=-1)
    chosen = [int(((whole * len(whole) - whole.sum(axis=0)) ** 2).sum(axis=1).argmin())]
    while len(chosen) < min(size, len(points)):
        nearest = squared[:, chosen].min(axis=1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("ahead", [1, 7, 48])
@pytest.mark.parametrize(("count", "dimensions", "size"), [(60, 2, 20), (200, 5, 90), (40, 3, 40), (30, 4, 99)])
def test_it_is_greedy_to_the_letter(
    monkeypatch: pytest.MonkeyPatch, count: int, dimensions: int, size: int, ahead: int
) -> None:
    monkeypatch.setattr(k_center, "AHEAD", ahead)
    monkeypatch.setattr(k_center, "BLOCK", 16)
    for seed in range(4):
        points = grid(count, dimensions, seed)
        assert k_center_greedy(points, size).chosen == by_definition(points, size)


def test_distances_are_those_to_the_nearest_chosen_point() -> None:
    points = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    found = k_center_greedy(points, 25)
    expected = np.sqrt(((points[:, None] - points[None, found.chosen]) ** 2).sum(axis=-1)).min(axis=1)
    assert np.allclose(found.distances, expected, atol=2e-3)
    assert found.radius == pytest.approx(float(expected.max()), abs=1e-4)
    assert np.allclose(coverage(points, found.chosen).distances, found.distances, atol=2e-3)


def test_it_covers_better_than_chance() -> None:
    generator = np.random.default_rng(1)
    crowd = generator.standard_normal((900, 16)) / 10
    points = np.concatenate([crowd, generator.standard_normal((100, 16))]).astype(np.float32)
    by_chance = generator.choice(1000, 120, replace=False).tolist()
    assert k_center_greedy(points, 120).radius < 0.8 * coverage(points, by_chance).radius


def test_equal_points_are_chosen_last_and_once() -> None:
    points = np.array([[0, 0], [0, 0], [3, 0], [3, 0], [9, 9]], np.float32)
    assert sorted(k_center_greedy(points, 3).chosen) == [0, 2, 4]
    assert sorted(k_center_greedy(points, 5).chosen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("points", [np.zeros((0, 4), np.float32), np.zeros((1, 4), np.float32)])
def test_few_points(points: Points) -> None:
    assert k_center_greedy(points, 3).chosen == list(range(len(points)))
    assert k_center_greedy(points, 3).radius == 0


@pytest.mark.slow
def test_a_hundred_thousand_points_take_no_matrix_of_all_pairs() -> None:
    import tracemalloc

    points = np.random.default_rng(2).standard_normal((100_000, 384), dtype=np.float32)
    tracemalloc.start()
    k_center_greedy(points, 500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6, "all pairs are 40 GB"

"""A coreset by k-center greedy: again and again the point that is farthest from all chosen ones (Sener and Savarese).

Enters: points as rows of a float32 matrix. Leaves: which are chosen, in order, and how far the others are from them.
Greedy to the letter: no sampling, no candidates left out. Distances are Euclidean, of float32. Beyond the points it
takes a block of distances to a few of them, never all pairs. The first point is the one nearest to the mean, and of
equally far points the first is taken, so sort them for a result that does not depend on their order. Not guaranteed:
the same choice from libraries of linear algebra that round differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

AHEAD = 48  # points whose distances are computed at once, since most of the farthest are soon chosen
BLOCK = 8192  # rows
TAKEN = -1.0


@dataclass(frozen=True)
class Coreset:
    """A choice of points."""

    chosen: list[int]  # in the order in which they were chosen
    distances: Points  # of every point to the nearest chosen one; (n,)

    @property
    def radius(self) -> float:
        """How far the farthest point is from its nearest chosen one."""
        return float(self.distances.max(initial=0.0))


def k_center_greedy(points: Points, size: int) -> Coreset:
    """Choose points so that no point is far from a chosen one.

    Args:
        points: (n, d).
        size: how many are chosen; all, where there are no more.
    """
    squares = _squares(points)
    size = min(size, len(points))
    chosen: list[int] = []
    nearest = np.full(len(points), np.inf, np.float32)
    while len(chosen) < size:
        ahead = _farthest(nearest, size - len(chosen)) if chosen else np.array([_middle(points)])
        columns = _squared_distances(points, squares, ahead)
        waiting = {int(point): column for column, point in enumerate(ahead)}
        point = int(ahead[0])
        while point in waiting and len(chosen) < size:
            chosen.append(point)
            np.minimum(nearest, columns[waiting.pop(point)], out=nearest)
            nearest[point] = TAKEN
            point = int(nearest.argmax())
    return Coreset(chosen, np.sqrt(np.maximum(nearest, 0)))


def coverage(points: Points, chosen: Sequence[int]) -> Coreset:
    """Return how well points chosen in any way cover all of them."""
    squares = _squares(points)
    nearest = np.full(len(points), np.inf, np.float32)
    for start in range(0, len(chosen), AHEAD):
        columns = _squared_distances(points, squares, np.array(chosen[start : start + AHEAD]))
        np.minimum(nearest, columns.min(axis=0), out=nearest)
    nearest[list(chosen)] = 0
    return Coreset(list(chosen), np.sqrt(nearest))


def _squares(points: Points) -> Points:
    squares: Points = np.einsum("ij,ij->i", points, points)
    return squares


def _middle(points: Points) -> int:
    """Return the point nearest to the mean."""
    mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    return int((_squares(points) - 2 * (points @ mean)).argmin())


def _farthest(nearest: Points, wanted: int) -> NDArray[np.intp]:
    """Return some of the farthest points, the very farthest first."""
    first = int(nearest.argmax())
    count = min(AHEAD, wanted, len(nearest))
    others = np.argpartition(nearest, len(nearest) - count)[len(nearest) - count :]
    return np.concatenate([[first], others[others != first]])


def _squared_distances(points: Points, squares: Points, of: NDArray[np.intp]) -> Points:
    """Return squared distances of some points to all; (len(of), n)."""
    centers = points[of]
    found = np.empty((len(of), len(points)), np.float32)
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        block = found[:, rows]
        np.matmul(centers, points[rows].T, out=block)
        block *= -2
        block += squares[of, None]
        block += squares[None, rows]
    return np.maximum(found, 0, out=found)

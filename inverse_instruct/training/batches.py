"""Which rows are trained on at which step: a function of (seed, step) alone.

Enters: the lengths of all sequences. Leaves: for every optimizer step the rows of its global batch, and their split
into micro batches over ranks and accumulation steps: of so many rows of similar length, or of so many tokens, padding
included, with equal work for the ranks. As the rows of a step depend neither on the
number of ranks nor on the micro batch size, all splits give the same loss curve, and a resumed run needs no replay.
Not guaranteed: equal numbers of rows per rank; losses must be summed over tokens, not averaged over micro batches.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
MicroBatch = list[Rows]
"""Strips of rows of similar length, each padded by itself; one forward pass for each, and one backward pass for all."""

STRIPS = 4
"""Strips of a micro batch by tokens: more have less padding, and less work at once for a GPU."""


class BatchPlan:
    """The batches of one phase."""

    def __init__(
        self,
        lengths: NDArray[np.int64],
        *,
        global_batch_size: int,
        micro_batch_size: int,
        micro_batch_tokens: int | None = None,
        ranks: int,
        epochs: float,
        seed: int,
    ) -> None:
        """Plan the steps of a phase.

        Args:
            lengths: tokens of each sequence; at least one.
            global_batch_size: sequences per optimizer step; the last step of an epoch takes what is left.
            micro_batch_size: at most this many sequences per forward pass and rank.
            micro_batch_tokens: at most this many tokens instead, padding included; a longer sequence goes by itself.
            ranks: processes that share a step.
            epochs: passes over the data, also fractions; at least one step is done.
            seed: decides the order, anew in every epoch.
        """
        self.lengths = lengths
        self.rows_per_step = min(global_batch_size, len(lengths))
        self.steps_per_epoch = math.ceil(len(lengths) / self.rows_per_step)
        self.steps = max(1, math.ceil(epochs * self.steps_per_epoch - 1e-9))
        self.micro_batch_size = micro_batch_size
        self.micro_batch_tokens = micro_batch_tokens
        self.ranks = ranks
        self.seed = seed

    @cached_property
    def accumulation_steps(self) -> int:
        """Forward and backward passes of each rank in one optimizer step, the same for all steps."""
        if self.micro_batch_tokens is None:
            return self._rounds(self.rows_per_step)
        return max(len(self._by_tokens(self.rows(step))) for step in range(self.steps)) // self.ranks

    def rows(self, step: int) -> Rows:
        """Return the rows of the global batch of a step (from 0), the longest first."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.lengths))
        chosen = order[position * self.rows_per_step : (position + 1) * self.rows_per_step]
        return chosen[np.argsort(-self.lengths[chosen], kind="stable")]

    def micro_batches(self, step: int, rank: int) -> list[MicroBatch]:
        """Return the micro batches of a rank, `accumulation_steps` of them; some may be empty."""
        rows = self.rows(step)
        if self.micro_batch_tokens is None:
            micro_batches = [[piece] for piece in np.array_split(rows, self._rounds(len(rows)) * self.ranks)]
        else:
            micro_batches = self._by_tokens(rows)
        own = micro_batches[rank :: self.ranks]
        return own + [[rows[:0]]] * (self.accumulation_steps - len(own))

    def _rounds(self, rows: int) -> int:
        return math.ceil(rows / (self.micro_batch_size * self.ranks))

    def _by_tokens(self, rows: Rows) -> list[MicroBatch]:
        """Return as few micro batches, a multiple of the ranks, as the budget allows, the largest first."""
        assert self.micro_batch_tokens is not None
        lengths = self.lengths[rows]
        budget = max(self.micro_batch_tokens, int(lengths[0]))
        count = math.ceil(int(lengths.sum()) / (budget * self.ranks)) * self.ranks
        while True:
            strips = np.split(rows, _even_cuts(lengths, count * STRIPS))
            loads, shares = _share_out([_tokens(self.lengths, strip) for strip in strips], count)
            if max(loads) <= budget:
                order = sorted(range(count), key=lambda number: -loads[number])
                width = max(map(len, shares))  # under ZeRO-3 all ranks must pass forward equally often
                empty = [rows[:0]] * width
                return [([strips[strip] for strip in shares[number]] + empty)[:width] for number in order]
            count += self.ranks


def _share_out(costs: list[int], count: int) -> tuple[list[int], list[list[int]]]:
    """Return the loads of so many shares, and which costs are in each: the largest first, to who has the least."""
    loads, shares = [0] * count, [[] for _ in range(count)]  # type: tuple[list[int], list[list[int]]]
    for number in sorted(range(len(costs)), key=lambda number: -costs[number]):
        least = loads.index(min(loads))
        loads[least] += costs[number]
        if costs[number]:
            shares[least].append(number)
    return loads, shares


def _tokens(lengths: NDArray[np.int64], strip: Rows) -> int:
    """Return the tokens of a strip, padding included."""
    return len(strip) * int(lengths[strip].max(initial=0))


def _cuts(lengths: NDArray[np.int64], most: int) -> list[int]:
    """Return where sequences, the longest first, are cut into the fewest strips of at most so many padded tokens."""
    cuts, start = [], 0
    while (start := start + max(1, most // int(lengths[start]))) < len(lengths):
        cuts.append(start)
    return cuts


def _even_cuts(lengths: NDArray[np.int64], count: int) -> list[int]:
    """Return the cuts into so many strips (the last ones may be empty) of which the largest is as small as can be."""
    low, high = int(lengths[0]), len(lengths) * int(lengths[0])
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_cuts(lengths, middle)) < count else (middle + 1, high)
    cuts = _cuts(lengths, low)
    return cuts + [len(lengths)] * (count - 1 - len(cuts))


def warmup_steps(wanted: int, steps: int) -> int:
    """Return the warm-up of a phase: what is wanted, but never more than a tenth of the steps.

    A schedule of 8 steps that warms up for 15 would never reach its learning rate.
    """
    return min(wanted, steps // 10)

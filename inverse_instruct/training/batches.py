"""Which rows are trained on at which step: a function of (seed, step) alone.

Enters: the lengths of all sequences. Leaves: for every optimizer step the rows of its global batch, and their split
into micro batches of similar length over ranks and accumulation steps. As the rows of a step depend neither on the
number of ranks nor on the micro batch size, all splits give the same loss curve, and a resumed run needs no replay.
Not guaranteed: equal numbers of rows per rank; losses must be summed over tokens, not averaged over micro batches.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


class BatchPlan:
    """The batches of one phase."""

    def __init__(
        self,
        lengths: NDArray[np.int64],
        *,
        global_batch_size: int,
        micro_batch_size: int,
        ranks: int,
        epochs: float,
        seed: int,
    ) -> None:
        """Plan the steps of a phase.

        Args:
            lengths: tokens of each sequence; at least one.
            global_batch_size: sequences per optimizer step; the last step of an epoch takes what is left.
            micro_batch_size: at most this many sequences per forward pass and rank.
            ranks: processes that share a step.
            epochs: passes over the data, also fractions; at least one step is done.
            seed: decides the order, anew in every epoch.
        """
        self.lengths = lengths
        self.rows_per_step = min(global_batch_size, len(lengths))
        self.steps_per_epoch = math.ceil(len(lengths) / self.rows_per_step)
        self.steps = max(1, math.ceil(epochs * self.steps_per_epoch - 1e-9))
        self.micro_batch_size = micro_batch_size
        self.ranks = ranks
        self.seed = seed

    @property
    def accumulation_steps(self) -> int:
        """Forward passes of each rank in one optimizer step."""
        return self._rounds(self.rows_per_step)

    def rows(self, step: int) -> Rows:
        """Return the rows of the global batch of a step (from 0), the longest first."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.lengths))
        chosen = order[position * self.rows_per_step : (position + 1) * self.rows_per_step]
        return chosen[np.argsort(-self.lengths[chosen], kind="stable")]

    def micro_batches(self, step: int, rank: int) -> list[Rows]:
        """Return the micro batches of a rank, `accumulation_steps` of them; some may be empty."""
        rows = self.rows(step)
        rounds = self._rounds(len(rows))
        pieces = np.array_split(rows, rounds * self.ranks)
        own = [pieces[number * self.ranks + rank] for number in range(rounds)]
        return own + [rows[:0]] * (self.accumulation_steps - rounds)

    def _rounds(self, rows: int) -> int:
        return math.ceil(rows / (self.micro_batch_size * self.ranks))


def warmup_steps(wanted: int, steps: int) -> int:
    """Return the warm-up of a phase: what is wanted, but never more than a tenth of the steps.

    A schedule of 8 steps that warms up for 15 would never reach its learning rate.
    """
    return min(wanted, steps // 10)

"""Seeds of all that is drawn: a function of what it is for, never of order, concurrency or restarts.

The values are the same in every release: a run that goes on draws what it would have drawn.
"""

from __future__ import annotations

from inverse_instruct.records import digest


def sampling_seed(run_seed: int, round_number: int, *of: str | int) -> int:
    """Return the seed of one sampled text, in [0, 2**31).

    Args:
        run_seed: of the run.
        round_number: in which it is sampled.
        of: what tells it from the others of the round, such as a snippet's id and the candidate's number k.
    """
    return int(digest(run_seed, round_number, *of), 16) % 2**31


def choice_seed(run_seed: int, round_number: int, snippet_id: str) -> int:
    """Return the seed of the random choice among a snippet's candidates, in [0, 2**64)."""
    return int(digest(run_seed, round_number, snippet_id), 16)


def phase_seed(run_seed: int, number: int) -> int:
    """Return the seed of a training phase, in [0, 2**31)."""
    return int(digest(run_seed, "train", number), 16) % 2**31


def benchmark_seed(run_seed: int, suite: str, task: str, number: int, kind: str) -> int:
    """Return the seed of a reply to a benchmark, in [0, 2**31).

    Args:
        run_seed: of the run.
        suite: its name.
        task: its id.
        number: of the sample, from 0.
        kind: which reply of the sample it is.
    """
    return int(digest(run_seed, suite, task, number, kind)[:8], 16) >> 1

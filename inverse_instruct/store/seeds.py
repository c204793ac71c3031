"""Seeds of what is sampled: a function of what it is for, never of order, concurrency or restarts."""

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

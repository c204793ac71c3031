"""Seeds of what is sampled: a function of what it is for, never of order, concurrency or restarts."""

from __future__ import annotations

from inverse_instruct.records import digest


def candidate_seed(run_seed: int, round_number: int, snippet_id: str, k: int) -> int:
    """Return the sampling seed of a snippet's candidate number k."""
    return int(digest(run_seed, round_number, snippet_id, k), 16) % 2**31

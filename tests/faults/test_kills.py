"""However often a two-round run is killed, and wherever: it ends with the result that it has when nobody kills it.

The seed of the points is printed; `INVERSE_INSTRUCT_FAULT_SEED` replays it.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.faults.harness import Run, play_whole
from tests.faults.kills import Outcome, draw_points, play, print_table

pytestmark = pytest.mark.integration
POINTS_PER_RUN = 12
KILLS = 60


def first_seed() -> int:
    return int(os.environ.get("INVERSE_INSTRUCT_FAULT_SEED") or random.SystemRandom().randrange(1_000_000))


def kill_and_compare(whole: Run, name: str, seed: int, points: int) -> list[Outcome]:
    print(f"\n{name}: INVERSE_INSTRUCT_FAULT_SEED={seed}", flush=True)
    run = Run(whole.config, whole.folder.with_name(name), whole.small_engine)
    outcomes = play(run, whole, draw_points(seed, points))
    assert run.result() == whole.result()
    return outcomes


@pytest.mark.timeout(900)
def test_killed_a_dozen_times_the_result_is_the_same(whole_run: Run) -> None:
    outcomes = kill_and_compare(whole_run, "killed", first_seed(), POINTS_PER_RUN)
    print_table(outcomes)
    assert sum(outcome.what == "killed" for outcome in outcomes) >= POINTS_PER_RUN - 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_kills_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """One run with vLLM, further ones with the small engine until there are enough kills; always two ranks."""
    began, seed = time.monotonic(), first_seed()
    outcomes: list[Outcome] = []
    engines = {name: play_whole(tmp_path / name, tiny_model, ranks=2, small_engine=name == "small")
               for name in ("vllm", "small")}
    number = 0
    while sum(outcome.what == "killed" for outcome in outcomes) < KILLS:
        whole = engines["vllm" if number == 0 else "small"]
        outcomes += kill_and_compare(whole, f"killed-{number}", seed + number, POINTS_PER_RUN)
        number += 1
    print_table(outcomes)
    kills = sum(outcome.what == "killed" for outcome in outcomes)
    print(f"{kills} kills in {number} runs, {time.monotonic() - began:.0f} s, seeds {seed} to {seed + number - 1}")

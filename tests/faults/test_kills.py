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
FEW_POINTS = 3
KILLS = 60


def first_seed() -> int:
    return int(os.environ.get("INVERSE_INSTRUCT_FAULT_SEED") or random.SystemRandom().randrange(1_000_000))


def kill_and_compare(whole: Run, name: str, seed: int, points: int) -> list[Outcome]:
    print(f"\n{name}: INVERSE_INSTRUCT_FAULT_SEED={seed}", flush=True)
    run = Run(whole.config, whole.folder.with_name(name), whole.small_engine)
    outcomes = play(run, whole, draw_points(seed, points))
    assert run.result() == whole.result()
    return outcomes


@pytest.mark.slow  # by default recipes are killed at every few replies, training anywhere, and a served run once
@pytest.mark.timeout(900)
def test_killed_a_few_times_the_result_is_the_same(whole_run: Run) -> None:
    outcomes = kill_and_compare(whole_run, "killed", first_seed(), FEW_POINTS)
    print_table(outcomes)
    assert _kills(outcomes) >= FEW_POINTS - 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_kills_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """Always two ranks; the last run has vLLM, those before it the small engine, until there are enough kills."""
    began, seed = time.monotonic(), first_seed()
    outcomes: list[Outcome] = []
    number = 0
    for engine, wanted in (("small", KILLS - POINTS_PER_RUN + 3), ("vllm", KILLS)):
        whole = play_whole(tmp_path / engine, tiny_model, ranks=2, small_engine=engine == "small")
        while _kills(outcomes) < wanted:
            outcomes += kill_and_compare(whole, f"killed-{number}", seed + number, POINTS_PER_RUN)
            number += 1
            print(f"{_kills(outcomes)} kills in {number} runs, {time.monotonic() - began:.0f} s", flush=True)
    print_table(outcomes)


def _kills(outcomes: list[Outcome]) -> int:
    return sum(outcome.what == "killed" for outcome in outcomes)

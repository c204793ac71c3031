"""Kills at points drawn from a seed: which process, in which stage, how far into it; and what came of each.

A point is reached when a stage has done a share of its rows, plus a short delay. Points are met in the order of the
run: kill, start again (or watch the run mend itself), go on to the next.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass

from tests.faults.harness import ENGINE, RANK, ROUNDS, Run, is_alive, wait_until

STAGES = ("preprocess", "summarize", "score", "selection", "train", "evaluate", "judge", "promote")
VICTIMS = {
    "summarize": ("orchestrator", "engine"),
    "score": ("orchestrator", "engine"),
    "evaluate": ("orchestrator", "engine"),
    "train": ("orchestrator", "rank"),
}
PLACES = [(0, stage) for stage in ("preprocess", "evaluate", "judge", "promote")]
PLACES += [(number, stage) for number in range(1, ROUNDS + 1) for stage in STAGES if stage != "preprocess"]
MAX_RANKS = 2  # per round: a training group that dies three times at one step is given up
MAX_DELAY_SECONDS = 0.3
POINT_SECONDS = 300.0  # to get from one point to the next
END_SECONDS = 30.0  # for what a killed process leaves behind to be gone


@dataclass(frozen=True)
class Point:
    """Where to kill."""

    round: int
    stage: str
    share: float  # of the stage's rows
    delay_seconds: float
    victim: str  # "orchestrator", "engine" or "rank"

    def __str__(self) -> str:
        """Name the point for the table."""
        return f"round {self.round} {self.stage} at {self.share:.0%} + {self.delay_seconds:.2f} s, {self.victim}"


@dataclass(frozen=True)
class Outcome:
    """What a kill led to; seconds, None where it does not apply."""

    point: Point
    what: str  # "killed", or why it was not
    gone_seconds: float | None = None  # until nothing was left of what had to end
    back_seconds: float | None = None  # until the next row or step


def draw_points(seed: int, count: int) -> list[Point]:
    """Draw points in the order in which a run meets them; no stage of a round comes twice before all came once."""
    dice = random.Random(seed)
    points: list[Point] = []
    deck: list[tuple[int, str]] = []
    while len(points) < count:
        deck = deck or dice.sample(PLACES, len(PLACES))
        number, stage = deck.pop()
        victim = dice.choice(VICTIMS.get(stage, ("orchestrator",)))
        if victim == "rank" and sum(point.victim == "rank" and point.round == number for point in points) == MAX_RANKS:
            victim = "orchestrator"
        points.append(Point(number, stage, dice.random(), dice.uniform(0, MAX_DELAY_SECONDS), victim))
    return sorted(points, key=lambda point: (PLACES.index((point.round, point.stage)), point.share))


def play(run: Run, whole: Run, points: list[Point]) -> list[Outcome]:
    """Start a run, meet every point, and let it come to its end."""
    run.start()
    outcomes = []
    for point in points:
        outcome = _meet(run, whole, point)
        print(
            f"{point}: {outcome.what}, gone {_shown(outcome.gone_seconds)}, back {_shown(outcome.back_seconds)}",
            flush=True,
        )
        outcomes.append(outcome)
    if run.is_over():
        run.start()
    assert run.wait() == 0, run.log.read_text()[-4000:]
    return outcomes


def print_table(outcomes: list[Outcome]) -> None:
    """Print the table of points and outcomes."""
    print("\n| point | outcome | gone after | back after |\n|---|---|---|---|")
    for outcome in outcomes:
        print(f"| {outcome.point} | {outcome.what} | {_shown(outcome.gone_seconds)} | {_shown(outcome.back_seconds)} |")


def _meet(run: Run, whole: Run, point: Point) -> Outcome:
    wanted = max(1, round(point.share * whole.rows(point.round, point.stage)))
    reached = wait_until(lambda: run.is_over() or run.rows(point.round, point.stage) >= wanted, POINT_SECONDS)
    assert reached is not None, f"{point} was not reached: {run.log.read_text()[-4000:]}"
    time.sleep(point.delay_seconds)
    if run.is_over():
        assert run.wait() == 0, run.log.read_text()[-4000:]
        return Outcome(point, "the run was over before")
    if point.victim == "orchestrator":
        return _kill_orchestrator(run, point)
    return _kill_child(run, point, ENGINE if point.victim == "engine" else RANK)


def _kill_orchestrator(run: Run, point: Point) -> Outcome:
    children = run.pids(ENGINE) + run.pids(RANK)
    run.kill()
    gone = wait_until(lambda: not any(map(is_alive, children)), END_SECONDS)
    assert gone is not None, f"{point}: processes outlive the orchestrator"
    before = _progress(run)
    run.start()
    return Outcome(point, "killed", gone if children else None, _time_to_move_on(run, point, before))


def _kill_child(run: Run, point: Point, module: str) -> Outcome:
    if module == ENGINE:  # one that dies while it starts may have a reason, and is not started again
        wait_until(lambda: run.is_over() or run.engine_answers(), POINT_SECONDS)
    victims = run.pids(module)
    if not victims:  # it has just ended, or starts again after the kill before
        return Outcome(point, f"no {point.victim} ran")
    before = _progress(run)
    os.kill(victims[-1], signal.SIGKILL)
    gone = wait_until(lambda: not any(map(is_alive, victims)), END_SECONDS)
    assert gone is not None, f"{point}: the others of the group live on"
    return Outcome(point, "killed", gone, _time_to_move_on(run, point, before))


def _time_to_move_on(run: Run, point: Point, before: list[int]) -> float:
    def moved() -> bool:
        return run.is_over() or any(now > then for now, then in zip(_progress(run), before, strict=True))

    back = wait_until(moved, POINT_SECONDS)
    assert back is not None, f"{point}: hangs; {run.log.read_text()[-4000:]}"
    return back


def _progress(run: Run) -> list[int]:
    return [run.rows(*place) for place in PLACES]


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"

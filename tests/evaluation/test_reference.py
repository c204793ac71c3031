"""Reference times are of the CPU, the least of several where the machine was busy, and say how they were taken."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation import Problem, References, Sandbox, reference
from evaluation.programs import Outcome, Program, ProgramResult

BUSY = "    import time\n    end = time.process_time() + x\n    while time.process_time() < end: pass\n    return 1\n"
PROBLEM = Problem("T/0", "def f(x):\n", "f", BUSY, ([0.4],), (), "", 0.0)
QUICK = replace(PROBLEM, task_id="T/1", base_input=([0.0],))


class Machine:
    """A sandbox whose clocks are made up: per run the wall-clock and the CPU seconds of the one input."""

    def __init__(self, *runs: tuple[float, float]) -> None:
        self.runs = list(runs)

    def run_one(self, program: Program) -> ProgramResult:
        seconds, cpu_seconds = self.runs.pop(0)
        return ProgramResult((Outcome(b"1", None, "", seconds, cpu_seconds),))


def times(references: Any, problem: Problem = PROBLEM) -> tuple[float, int, bool]:
    found = references.of(problem)
    return found.seconds, found.timings, found.quiet


def test_a_wait_is_no_time_of_the_reference(sandbox: Sandbox) -> None:
    waiting = replace(PROBLEM, canonical_solution="    import time\n    time.sleep(0.5)\n    return 1\n")
    assert References(sandbox).of(waiting).seconds < 0.2
    assert 0.3 < References(sandbox).of(PROBLEM).seconds < 0.7
    [program] = References(sandbox).of(waiting).programs(waiting, "")
    assert list(program.seconds) == [1.0]


def test_on_a_quiet_machine_one_timing_is_enough() -> None:
    machine = Machine((1.1, 1.0))
    assert times(References(machine)) == (1.0, 1, True)  # type: ignore[arg-type]


def test_on_a_busy_machine_the_least_of_several_counts() -> None:
    machine = Machine((5.0, 1.6), (4.0, 1.2), (9.0, 2.0))
    assert times(References(machine)) == (1.2, 3, False)  # type: ignore[arg-type]
    machine = Machine((5.0, 1.6), (1.0, 0.9))
    assert times(References(machine)) == (0.9, 2, True)  # type: ignore[arg-type]


def test_short_times_decide_nothing_and_are_taken_once() -> None:
    machine = Machine((5.0, 0.1))
    assert times(References(machine), QUICK) == (0.1, 1, False)  # type: ignore[arg-type]


def test_what_is_kept_says_how_it_was_timed_and_is_timed_again_where_that_was_not_in_quiet(tmp_path: Path) -> None:
    busy: Any = Machine((5.0, 1.6), (5.0, 1.5), (5.0, 1.4))
    assert times(References(busy, tmp_path)) == (1.4, 3, False)
    [kept] = tmp_path.iterdir()
    told = json.loads(kept.read_text())
    assert (told["clock"], told["timings"], told["quiet"]) == ("cpu", 3, False) and told["processor"]

    quiet: Any = Machine((1.0, 1.0))
    again = References(quiet, tmp_path)
    assert times(again) == times(again) == (1.0, 4, True)
    assert times(References(Machine(), tmp_path)) == (1.0, 4, True)  # type: ignore[arg-type]


def test_times_of_another_processor_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: Any = Machine((1.0, 1.0))
    References(first, tmp_path).of(PROBLEM)
    monkeypatch.setattr(reference, "_processor", lambda: "another one")
    second: Any = Machine((3.0, 3.0))
    assert times(References(second, tmp_path)) == (3.0, 1, True)

"""The gate: each way to pass and to be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.config.examining import PromoteSection
from inverse_instruct.errors import RunDirError, StageError
from inverse_instruct.stages.decide import DECIDE, decide
from tests.playing import play_stage

TASKS = [f"T/{number}" for number in range(20)]


def verdicts(passed: int, start: int = 0) -> dict[str, bool]:
    return {task: start <= number < start + passed for number, task in enumerate(TASKS)}


def test_the_first_checkpoint_is_promoted() -> None:
    decision = decide(PromoteSection(), verdicts(0), None)
    assert decision.promoted and decision.p_worse is None


def test_a_clear_loss_is_refused_and_names_the_problems() -> None:
    decision = decide(PromoteSection(), verdicts(5), verdicts(10))
    assert not decision.promoted
    assert decision.lost == tuple(TASKS[5:10]) and decision.gained == ()
    assert decision.p_worse == 1 / 32


def test_a_loss_within_luck_is_promoted() -> None:
    decision = decide(PromoteSection(), verdicts(6), verdicts(10))
    assert decision.promoted and decision.p_worse == 1 / 16


def test_no_difference_and_a_gain_are_promoted() -> None:
    assert decide(PromoteSection(), verdicts(10), verdicts(10)).promoted
    assert decide(PromoteSection(), verdicts(20), verdicts(0)).promoted


def test_rates_of_several_samples_count_by_their_direction() -> None:
    rates = {task: number / 20 for number, task in enumerate(TASKS)}
    lower = rates | {task: rates[task] - 0.01 for task in TASKS[10:15]}
    decision = decide(PromoteSection(), lower, rates)
    assert not decision.promoted and decision.lost == tuple(TASKS[10:15]) and decision.p_worse == 1 / 32
    assert decide(PromoteSection(), rates, lower).gained == tuple(TASKS[10:15])


def test_the_level_is_config() -> None:
    assert not decide(PromoteSection(alpha=0.1), verdicts(6), verdicts(10)).promoted


def write_evaluation(folder: Path, passed: dict[str, bool], unanswered: tuple[str, ...] = ()) -> Path:
    folder.mkdir()
    rows = [{"task_id": task, "passed": good} for task, good in passed.items() if task not in unanswered]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "report.json").write_text(json.dumps({"suite": "mini", "unanswered": dict.fromkeys(unanswered, "why")}))
    return folder


def test_a_problem_that_one_of_them_left_unanswered_does_not_count(tmp_path: Path) -> None:
    promoted = write_evaluation(tmp_path / "promoted", verdicts(10), (TASKS[1],))
    candidate = write_evaluation(tmp_path / "candidate", verdicts(7), (TASKS[9], TASKS[15]))
    decision = play_stage(DECIDE, tmp_path / "out", {"candidate": [candidate], "promoted": [promoted]}).metrics
    assert decision["lost"] == (f"mini: {TASKS[7]}", f"mini: {TASKS[8]}") and decision["promoted"]
    assert "3 problems do not count, as one of the two left them unanswered" in decision["reason"]


def test_what_was_measured_of_one_only_is_refused(tmp_path: Path) -> None:
    promoted = write_evaluation(tmp_path / "promoted", verdicts(10))
    fewer = write_evaluation(tmp_path / "fewer", dict(list(verdicts(10).items())[:12]))
    with pytest.raises(StageError, match="8 are in one only"):
        play_stage(DECIDE, tmp_path / "out", {"candidate": [fewer], "promoted": [promoted]})
    first = write_evaluation(tmp_path / "first", verdicts(10), tuple(TASKS[10:]))
    second = write_evaluation(tmp_path / "second", verdicts(10), tuple(TASKS[:10]))
    with pytest.raises(RunDirError, match="no problem was answered by both"):
        play_stage(DECIDE, tmp_path / "out", {"candidate": [second], "promoted": [first]})


# -- the best so far ---------------------------------------------------------------------------------------------------

MANY = [f"T/{number}" for number in range(164)]


def chain(losses: int, gains: int, rounds: int) -> list[dict[str, bool]]:
    """Return checkpoints each of which loses a few problems and gains fewer against the one before."""
    passed = {task: number < 100 for number, task in enumerate(MANY)}
    found = [passed]
    for number in range(rounds):
        passed = dict(passed)
        for task in MANY[number * losses : (number + 1) * losses]:
            passed[task] = False
        for task in MANY[100 + number * gains : 100 + (number + 1) * gains]:
            passed[task] = True
        found.append(passed)
    return found


def test_a_chain_of_small_losses_is_refused(tmp_path: Path) -> None:
    checkpoints = chain(losses=4, gains=1, rounds=8)
    assert all(
        decide(PromoteSection(), after, before).promoted
        for before, after in zip(checkpoints, checkpoints[1:], strict=False)
    ), "each step alone is within luck"
    folders = [write_evaluation(tmp_path / f"e{number}", passed) for number, passed in enumerate(checkpoints)]
    promoted = [folders[0]]
    for number, folder in enumerate(folders[1:], 1):
        given = {"candidate": [folder], "promoted": promoted}
        decision = play_stage(DECIDE, tmp_path / f"out{number}", given, number=number).metrics
        if not decision["promoted"]:
            break
        promoted.append(folder)
    assert 2 <= number <= 6 and decision["reason"].startswith("worse than the best so far: ")
    assert decision["rate"] < decision["best_rate"] == 100 / 164


def test_equal_checkpoints_pass_for_ever(tmp_path: Path) -> None:
    folders = [write_evaluation(tmp_path / f"e{number}", verdicts(10, number % 2)) for number in range(12)]
    for number in range(1, 12):
        given = {"candidate": [folders[number]], "promoted": folders[:number]}
        assert play_stage(DECIDE, tmp_path / f"out{number}", given, number=number).metrics["promoted"]


def test_only_what_is_shown_to_be_better_passes_the_rule_better() -> None:
    rule = PromoteSection(rule="better")
    assert decide(rule, verdicts(0), None).promoted
    assert not decide(rule, verdicts(10), verdicts(10)).promoted
    assert decide(rule, verdicts(16), verdicts(10), 1).promoted, "p = 1/64 < 0.05 / 2"
    later = decide(rule, verdicts(16), verdicts(10), 3)
    assert not later.promoted and "not shown to be better at the level of round 3, 0.0042" in later.reason
    assert sum(0.05 / (n * (n + 1)) for n in range(1, 10_000)) < 0.05, "the shares of all rounds"


def test_a_suite_that_decides_nothing_changes_nothing(tmp_path: Path) -> None:
    def evaluation(name: str, mini: dict[str, bool], kept_apart: dict[str, bool]) -> Path:
        (tmp_path / name).mkdir()
        for suite, passed in (("mini", mini), ("humaneval", kept_apart)):
            write_evaluation(tmp_path / name / suite, passed)
        return tmp_path / name

    promoted = evaluation("promoted", verdicts(10), verdicts(20))
    candidate = evaluation("candidate", verdicts(11), verdicts(0))
    for decides in (False, True):
        suites = [{"suite": "mini"}, {"suite": "humaneval", "decides": decides}]
        decision = play_stage(
            DECIDE,
            tmp_path / f"out-{decides}",
            {"candidate": [candidate], "promoted": [promoted]},
            evaluate={"suites": suites},
        ).metrics
        assert decision["promoted"] is not decides

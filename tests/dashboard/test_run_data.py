"""What the pages are told of a run: every row is accounted for, and what is not measured is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.dashboard.page import to_json
from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.errors import RunDirError
from tests.dashboard.made_run import RunWriter


def test_funnel_accounts_for_every_row(whole_run: Path) -> None:
    funnel = {(stage["round"], stage["stage"]): stage for stage in collect_run(whole_run)["funnel"]}
    assert [stage for number, stage in funnel if number == 1] == ["summarize", "score", "selection", "train"]
    for stage in funnel.values():
        assert stage["rows_in"] == stage["rows_out"] + sum(stage["rejected"].values()), stage
    for number in (1, 2):
        assert funnel[number, "summarize"]["rows_out"] == funnel[number, "score"]["rows_in"] == 90
        assert funnel[number, "score"]["rows_out"] == funnel[number, "selection"]["rows_in"] == 89
    assert funnel[1, "train"]["note"] == "40 selected, 40 original"


def test_scores_are_counted_once_each(whole_run: Path) -> None:
    run = collect_run(whole_run)
    selected = {row["round"]: row["selected"] for row in run["rounds"]}
    assert [scores["round"] for scores in run["scores"]] == [1, 2]
    for scores in run["scores"]:
        assert sum(scores["scored"]) == 89
        assert sum(scores["selected"]) == selected[scores["round"]] > 0
        assert scores["selected"][:4] == [0, 0, 0, 0]  # below the minimum of 0.2


def test_rounds_tell_the_decision_and_what_became_of_it(whole_run: Path) -> None:
    run = collect_run(whole_run)
    assert [row["state"] for row in run["rounds"]] == ["retired", "promoted", "retired"]
    assert run["rounds"][2]["promoted"] and run["rounds"][2]["gained"] == ("mini: a", "mini: b")
    assert [entry["kind"] for entry in reversed(run["history"])][:5] == [
        "promote",
        "promote",
        "promote",
        "rollback",
        "event",
    ]
    assert "by ada" in next(entry["text"] for entry in run["history"] if entry["kind"] == "rollback")


def test_time_of_a_round_counts_what_ran_at_once_only_once(whole_run: Path) -> None:
    row = collect_run(whole_run)["rounds"][1]
    assert row["seconds"] == pytest.approx(61 + 90 + 30, abs=1)  # summarize and score took 61 seconds together


def test_curves_have_a_point_per_step_and_long_ones_are_thinned(growing_run: RunWriter) -> None:
    growing_run.preprocess()
    growing_run.train(1, steps=5000)
    curve = collect_run(growing_run.run_dir.path)["curves"][0]
    assert (curve["round"], curve["phase"], curve["data"], curve["steps"]) == (1, 0, "selected", 5000)
    assert len(curve["step"]) == len(curve["loss"]) <= 602
    assert curve["step"][0] == 1 and curve["step"][-1] == 5000
    assert curve["loss"][-1] == 1 / 5000


def test_a_run_that_has_only_begun(begun_run: Path) -> None:
    run = collect_run(begun_run)
    assert run["state"] == "interrupted"  # nobody holds its lock
    assert [(stage["stage"], stage["total"], stage["seconds_left"]) for stage in run["under_way"]] == [
        ("preprocess", None, None)
    ]
    assert run["rounds"][0]["suites"] == [] and run["rounds"][0]["state"] is None
    assert run["funnel"] == run["scores"] == run["curves"] == run["costs"] == []


def test_time_left_is_told_from_what_is_done(growing_run: RunWriter) -> None:
    growing_run.ledger.start_stage(1, "summarize", 40)
    with growing_run.run_dir.lock():
        growing_run.ledger.advance(1, "summarize", 10, 40)
        run = collect_run(growing_run.run_dir.path)
    stage = run["under_way"][0]
    assert run["state"] == "running" and (stage["done"], stage["total"]) == (10, 40)
    assert 0 <= stage["seconds_left"] < 30


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"has no ledger\.db"):
        collect_run(tmp_path)


def test_json_is_safe_inside_a_script_element_and_keeps_every_text() -> None:
    value = {"text": "</script><!-- \u2028\u2029 & \0 \ud800", "rate": float("nan"), "list": [float("inf"), 1.5]}
    text = to_json(value)
    assert text.isascii() and not set(text) & set("<>&\0")
    assert json.loads(text) == {"text": value["text"], "rate": None, "list": [None, 1.5]}


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 0, "sets": []}', "\udcff"])
def test_an_analysis_that_cannot_be_read_is_none(growing_run: RunWriter, text: str) -> None:
    growing_run.preprocess()
    growing_run.run_dir.analysis.write_text(text, errors="surrogateescape")
    assert collect_run(growing_run.run_dir.path)["analysis"] is None

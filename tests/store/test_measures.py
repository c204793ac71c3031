"""Metrics become records and plain values again, and what is none is one clear sentence."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, WrittenRows, read_manifest, write_manifest
from inverse_instruct.store.measures import Decision, read_head, read_measures
from tests.measured import phase, report


def test_what_is_read_gives_the_same_plain_values() -> None:
    metrics = {"phases": [phase(0, "selected", 3, [2.0, 1.0])], "suites": {"mini": report(0.5)}, "more": [1]}
    plain = json.loads(json.dumps(metrics))
    measures = read_measures(plain, "x")
    losses = plain["phases"][0].pop("losses")
    assert losses == [2.0, 1.0]
    assert json.dumps([asdict(found) for found in measures.phases]) == json.dumps(plain["phases"])
    assert json.dumps({name: asdict(found) for name, found in measures.suites.items()}) == json.dumps(plain["suites"])
    assert measures.decision is None


def test_a_decision_lies_flat_in_the_metrics() -> None:
    decision = Decision(True, "better", ("a",), (), 0.5)
    assert read_measures(json.loads(json.dumps(asdict(decision))), "x").decision == decision
    assert read_measures({}, "x").decision is None


def test_reports_of_before_have_what_they_had() -> None:
    plain = report(0.5)
    for name in ("read_otherwise", "unread", "unanswered"):
        del plain[name]
    found = read_measures({"suites": {"mini": plain}}, "x").suites["mini"]
    assert (found.read_otherwise, found.unread, found.unanswered) == (0, 0, {})


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"phases": [{"data": "selected"}]}, "phases.0.phase: Field required"),
        (
            {"suites": {"mini": report(0.5, pass_at_k={"1": {"base": 0.5, "plus": None}})}},
            "suites.mini.pass_at_k.1.base",
        ),
        ({"promoted": True}, "decision.reason"),
        ({"mean_lm_score": "high"}, "mean_lm_score"),
    ],
)
def test_metrics_of_something_else(metrics: dict[str, Any], said: str) -> None:
    with pytest.raises(RunDirError, match="the metrics of round-01 are not as this version writes them") as error:
        read_measures(metrics, "round-01")
    assert said in str(error.value) and "run the run's config again" in str(error.value)


def test_a_report_made_by_hand_may_have_no_more_than_its_name() -> None:
    assert read_head({"suite": "mini"}).unanswered == {}
    with pytest.raises(RunDirError, match="suite"):
        read_head({"suite": 1})


def test_a_ledger_of_another_version_is_told(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.finish_stage(0, Manifest("preprocess", "k", 1, 1))
        ledger._db.execute("""UPDATE stages SET manifest = '{"stage": "preprocess", "novelty": 1}'""")
        with pytest.raises(RunDirError, match="written by another version"):
            ledger.stages()


def test_a_manifest_is_read_back_with_its_rows_and_inputs(tmp_path: Path) -> None:
    rows = {"a.parquet": WrittenRows("Snippet", 1)}
    manifest = Manifest("x", "k", 1, 1, kept="a.parquet", rows=rows, inputs={"y": {"round-00/z/b.parquet": "0" * 64}})
    (tmp_path / "a.parquet").write_text("rows")
    assert read_manifest(tmp_path) is None
    assert read_manifest(write_and_return(tmp_path, manifest)) == manifest
    assert manifest.record == "Snippet" and Manifest("x", "k", 0, 0).record == ""


def write_and_return(folder: Path, manifest: Manifest) -> Path:
    write_manifest(folder, manifest, ["a.parquet"])
    return folder

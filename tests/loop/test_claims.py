"""Claims of a study, written before it is played, and what decides them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.commands.study import print_study
from inverse_instruct.config.study_file import Study, load_study
from inverse_instruct.dashboard.study_page import write_study_page
from inverse_instruct.errors import ConfigError
from inverse_instruct.loop.claims import ClaimResult, read_claims
from inverse_instruct.loop.study_results import read_results
from inverse_instruct.store.manifest import Manifest, write_manifest
from tests.loop.test_study import write_study

VARIANTS: dict[str, dict[str, Any]] = {"old": {}, "new": {"rounds": 2}}
PROBLEMS = 40


def measured(folder: Path, checkpoint: str, **files: Mapping[int, Any]) -> None:
    """Write an evaluation as a run has it: rows by the number of the problem."""
    variant, number = checkpoint.split("@")
    suite = folder / f"runs/{variant}/round-{int(number):02d}/evaluate/mini"
    suite.mkdir(parents=True)
    kinds = {"results": {}, **files}
    for name, rows in kinds.items():
        lines = [json.dumps({"task_id": f"T/{task}", **row}) + "\n" for task, row in rows.items()]
        (suite / f"{name}.jsonl").write_text("".join(lines))
    write_manifest(suite.parent, Manifest("evaluate", "k", 0, 0), [f"mini/{name}.jsonl" for name in kinds])


def solves(count: int, without: int = 0) -> dict[int, dict[str, Any]]:
    """Return verdicts of which the first so many pass, but for some of them."""
    return {task: {"passed": without <= task < count} for task in range(PROBLEMS)}


def study_of(folder: Path, **claims: dict[str, str]) -> Study:
    return load_study(write_study(folder, folder, VARIANTS, baseline="old", claims=claims))


def claim(holds_if: str, measure: str = "pass_at_1") -> dict[str, str]:
    return {"candidate": "new@1", "baseline": "old@0", "measure": measure, "holds_if": holds_if}


CASES = {
    "much better": ((10, 0), (24, 0), {"better": True, "not_worse": True}),
    "a little better": ((10, 0), (13, 0), {"better": False, "not_worse": True}),
    "a little worse": ((13, 0), (10, 0), {"better": False, "not_worse": True}),
    "much worse": ((24, 0), (10, 0), {"better": False, "not_worse": False}),
    "the same": ((10, 0), (10, 0), {"better": False, "not_worse": True}),
    "other problems": ((20, 0), (40, 20), {"better": False, "not_worse": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_paired_test_decides(tmp_path: Path, case: str) -> None:
    before, after, wanted = CASES[case]
    measured(tmp_path, "old@0", results=solves(*before))
    measured(tmp_path, "new@1", results=solves(*after))
    for words, holds in wanted.items():
        [found] = read_claims(study_of(tmp_path, it=claim(words)), tmp_path / "runs")
        assert found.holds is holds
        assert (found.problems, found.before) == (PROBLEMS, (before[0] - before[1]) / PROBLEMS)
        assert found.after == (after[0] - after[1]) / PROBLEMS


def test_a_loss_is_better_where_it_is_lower_and_counts_where_both_have_one(tmp_path: Path) -> None:
    losses = {task: {"loss": 1.0 + task / 100} for task in range(PROBLEMS)}
    measured(tmp_path, "old@0", solution_loss=losses)
    lower = {task: {"loss": row["loss"] - 0.01 if task else None} for task, row in losses.items()}
    measured(tmp_path, "new@1", solution_loss=lower)
    [found] = read_claims(study_of(tmp_path, it=claim("better", "solution_loss")), tmp_path / "runs")
    assert found.holds and found.problems == PROBLEMS - 1 == found.improved
    assert found.after is not None and found.before is not None and found.after - found.before == pytest.approx(-0.01)
    assert found.low == found.high == pytest.approx(-0.01)


def test_agreement_counts_where_neither_was_removed(tmp_path: Path) -> None:
    row = {"removed": None, "base": True, "plus": False}
    before = {0: row, 1: row | {"plus": None}, 2: row, 3: row | {"removed": "raised"}}
    measured(tmp_path, "old@0", self_consistency=before)
    after = {0: row | {"plus": True}, 1: row | {"plus": None}, 2: row | {"removed": "timeout"}, 3: row}
    measured(tmp_path, "new@1", self_consistency=after)
    [found] = read_claims(study_of(tmp_path, it=claim("not_worse", "self_consistency")), tmp_path / "runs")
    assert (found.problems, found.before, found.after, found.improved, found.worsened) == (2, 0.5, 1.0, 1, 0)


def test_holm_corrects_what_is_said_to_be_better_and_nothing_else(tmp_path: Path) -> None:
    measured(tmp_path, "old@0", results=solves(6))
    measured(tmp_path, "new@1", results=solves(0))  # p = 0.031
    measured(tmp_path, "new@2", results=solves(6))
    back = {"candidate": "new@2", "baseline": "new@1", "holds_if": "better"}
    [alone] = read_claims(study_of(tmp_path, it=back), tmp_path / "runs")
    assert alone.holds and alone.p == alone.p_holm == pytest.approx(0.03125)
    first, again, worse = read_claims(study_of(tmp_path, a=back, b=back, c=claim("not_worse")), tmp_path / "runs")
    assert not first.holds and not again.holds and first.p_holm == pytest.approx(0.09375)
    assert not worse.holds, "a correction would uphold it"


def test_what_is_not_there_yet_is_not_measured_and_corrects_nothing(tmp_path: Path) -> None:
    measured(tmp_path, "old@0", results=solves(6))
    there = {"candidate": "old@0", "baseline": "old@0", "holds_if": "not_worse"}
    found = read_claims(
        study_of(tmp_path, a=claim("better"), b=claim("better", "solution_loss"), c=there), tmp_path / "runs"
    )
    assert [row.holds for row in found] == [None, None, True] and found[0].p is None and found[2].p_holm == 1.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"candidate": "best@1"}, "there is no variant 'best'; there are: old, new"),
        ({"baseline": "old@2"}, "variant old has rounds 0 to 1, so old@2 is never there"),
        ({"candidate": "new"}, "should match pattern"),
        ({"measure": "pass_at_2"}, "measure"),
        ({"holds_if": "worse"}, "holds_if"),
        ({"level": 0.1}, "level: unknown key"),
    ],
)
def test_a_claim_about_nothing_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        study_of(tmp_path, **{"It is so.": claim("better") | changes})
    assert said in str(raised.value) and "study.yaml:" in str(raised.value)


def test_claims_are_printed_and_on_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured(tmp_path, "old@0", results=solves(10))
    measured(tmp_path, "new@1", results=solves(24))
    claims = {"It <b>gains</b>.": claim("better"), "Its loss falls.": claim("better", "solution_loss")}
    results = read_results(study_of(tmp_path, **claims), tmp_path / "runs", {})
    assert [type(row) for row in results.claims] == [ClaimResult, ClaimResult]
    print_study(results, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "yes" in shown and "not measured" in shown and "+14 -0" in shown
    write_study_page(json.loads(json.dumps(results.as_json())), tmp_path / "study.html")
    page = (tmp_path / "study.html").read_text()
    assert "It &lt;b&gt;gains&lt;/b&gt;." in page and "+35.0" in page and "not measured" in page

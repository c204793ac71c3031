"""Comparing our verdicts with the result rows of EvalPlus."""

import json
from pathlib import Path

import pytest

from evaluation.errors import BenchmarkError
from evaluation.suite import Sample, Verdict
from evaluation.throughput.evalplus_parity import check_same, find_disagreements, read_results


def verdict(sample: int, base: bool, plus: bool) -> Verdict:
    return Verdict("T/0", sample, base, plus, None if plus else "assertion", "" if plus else "input 3", 0.1)


def row(base: str, plus: str | None) -> dict[str, str | None]:
    return {"base_status": base, "plus_status": plus, "solution": "code"}


@pytest.mark.parametrize(
    ("ours", "theirs", "differ"),
    [
        ((True, True), ("pass", "pass"), []),
        ((True, False), ("pass", "fail"), []),
        ((True, False), ("pass", "timeout"), []),
        ((False, False), ("fail", "pass"), []),  # their plus status is of the plus inputs alone
        ((False, False), ("timeout", "fail"), []),
        ((True, True), ("fail", "fail"), ["base", "plus"]),
        ((True, True), ("pass", "timeout"), ["plus"]),
        ((False, False), ("pass", "pass"), ["base", "plus"]),
        ((True, False), ("fail", "pass"), ["base"]),
        ((True, True), ("pass", None), []),  # they were asked for base tests only
    ],
)
def test_what_counts_as_a_disagreement(
    ours: tuple[bool, bool], theirs: tuple[str, str | None], differ: list[str]
) -> None:
    found = list(find_disagreements([verdict(0, *ours)], {"T/0": [row(*theirs)]}))
    assert [disagreement.tests for disagreement in found] == differ


def test_samples_of_one_task_are_matched_by_their_number() -> None:
    verdicts = [verdict(0, True, True), verdict(1, False, False)]
    [found] = find_disagreements(verdicts, {"T/0": [row("pass", "fail"), row("fail", "pass")]})
    assert (found.sample, found.tests) == (0, "plus")
    assert str(found) == "T/0\t0\tplus\tours pass\tEvalPlus fail\t"


def test_our_reason_is_shown() -> None:
    [found] = find_disagreements([verdict(0, True, False)], {"T/0": [row("pass", "pass")]})
    assert str(found).endswith("ours fail\tEvalPlus pass\tassertion: input 3")


def test_results_of_other_samples_are_refused() -> None:
    check_same([Sample("T/0", 0, "code")], {"T/0": [row("pass", "pass")]})
    for other in (Sample("T/0", 0, "other code"), Sample("T/0", 1, "code"), Sample("T/1", 0, "code")):
        with pytest.raises(BenchmarkError, match=other.task_id):
            check_same([other], {"T/0": [row("pass", "pass")]})


def test_results_of_another_benchmark_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples_eval_results.json"
    path.write_text(json.dumps({"hash": "1f", "eval": {"T/0": [row("pass", "pass")]}}))
    assert list(read_results(path, "1f")) == ["T/0"]
    with pytest.raises(BenchmarkError, match="hash"):
        read_results(path, "2f")
    path.write_text(json.dumps({"samples": []}))
    with pytest.raises(BenchmarkError, match="eval"):
        read_results(path, "1f")

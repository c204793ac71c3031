"""Two evaluations are compared problem by problem, and only where they are of the same problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.benchmarks.compare import compare, print_comparison
from inverse_instruct.errors import RunDirError


def write(folder: Path, passed: dict[str, list[bool]], version: str = "v1", suite: str = "mini") -> Path:
    place = folder / suite
    place.mkdir(parents=True)
    rows = [{"task_id": task, "passed": value} for task, values in passed.items() for value in values]
    (place / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "report.json").write_text(json.dumps({"suite": suite, "version": version}))
    return folder


def test_gained_lost_and_p(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write(tmp_path / "a", {f"T/{n}": [n < 3] for n in range(10)})
    after = write(tmp_path / "b", {f"T/{n}": [2 <= n < 8] for n in range(10)})
    result = compare(before, after)
    assert (result.problems, result.baseline, result.candidate) == (10, 0.3, 0.6)
    assert result.gained == tuple(f"mini: T/{n}" for n in range(3, 8))
    assert result.lost == ("mini: T/0", "mini: T/1")
    assert result.p_two_sided == pytest.approx(58 / 128)
    print_comparison(result, as_json=False)
    shown = capsys.readouterr().out
    assert "30.0 -> 60.0, difference +30.0" in shown and "lost (2): mini: T/0, mini: T/1" in shown
    print_comparison(result, as_json=True)
    assert json.loads(capsys.readouterr().out)["gained"][0] == "mini: T/3"


def test_files_folders_and_several_samples(tmp_path: Path) -> None:
    before = write(tmp_path / "a", {"T/0": [True, False], "T/1": [True, True]})
    after = write(tmp_path / "b", {"T/0": [True, True], "T/1": [True, False]})
    result = compare(before / "mini" / "results.jsonl", after)
    assert (result.gained, result.lost, result.difference.rate) == (("mini: T/0",), ("mini: T/1",), 0.0)


@pytest.mark.parametrize(
    ("tasks", "version", "message"),
    [(["T/0"], "v1", "1 problems are in one only, such as mini: T/1"), (["T/0", "T/1"], "v2", "v1.*v2")],
)
def test_other_problems_are_refused(tmp_path: Path, tasks: list[str], version: str, message: str) -> None:
    before = write(tmp_path / "a", {"T/0": [True], "T/1": [True]})
    after = write(tmp_path / "b", {task: [True] for task in tasks}, version)
    with pytest.raises(RunDirError, match=message):
        compare(before, after)


def test_no_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="holds no results.jsonl"):
        compare(tmp_path, tmp_path)
    empty = write(tmp_path / "e", {})
    with pytest.raises(RunDirError, match="nothing was measured"):
        compare(empty, empty)


@pytest.mark.parametrize("text", ["{", "[]", '{"suite": 1}', '{"unanswered": ["T/0"]}', "\x00"])
def test_a_report_that_is_none_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "a", {"T/0": [True]})
    (folder / "mini/report.json").write_text(text)
    with pytest.raises(RunDirError, match=r"mini/report\.json: cannot be used .*; remove it, or evaluate again"):
        compare(folder, folder)

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


def test_losses_are_compared_task_by_task_where_both_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [write(tmp_path / name, {f"T/{n}": [True] for n in range(4)}) for name in ("a", "b")]
    assert compare(*folders).solution_loss is None
    for folder, losses in zip(folders, ([0.5, 2.0, 1.0, None], [0.4, 1.9, None, 3.0]), strict=True):
        rows = [{"task_id": f"T/{n}", "loss": loss, "tokens": 9, "why": ""} for n, loss in enumerate(losses)]
        (folder / "mini/solution_loss.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = compare(*folders)
    assert result.solution_loss is not None and result.solution_loss.rate == pytest.approx(-0.1)
    print_comparison(result, as_json=False)
    assert "loss of the canonical solutions: -0.1000 [-0.1000, -0.1000] nats per token" in capsys.readouterr().out
    (folders[1] / "mini/solution_loss.jsonl").write_text('{"task_id": "T/0"}\n')
    with pytest.raises(RunDirError, match=r"solution_loss.jsonl: is not as evaluate writes it"):
        compare(*folders)


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

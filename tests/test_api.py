"""The commands as functions, and the rows of a run as data sets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import inverse_instruct
from evaluation import MINI_PATH
from inverse_instruct.errors import InverseInstructError, RunDirError
from inverse_instruct.store.rows import read_rows, write_rows
from tests.example_run import make_run


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> inverse_instruct.Run:
    """A finished run of three rounds."""
    folder = tmp_path_factory.mktemp("api") / "run"
    make_run(folder, tiny_model)
    return inverse_instruct.load_run(folder)


def test_rows_of_all_rounds_are_data_sets(run: inverse_instruct.Run) -> None:
    for name, stage, file in (
        ("candidates", "summarize", "candidates.parquet"),
        ("scores", "score", "scores.parquet"),
        ("selected", "selection", "selected.parquet"),
    ):
        rows = getattr(run, name)
        written = [
            {**row, "of_round": number}
            for number in (1, 2)
            for row in read_rows(run.path / f"round-{number:02}/{stage}/{file}")
        ]
        assert rows.to_list() == written and len(rows), name
    assert run.snippets.column_names[:2] == ["id", "code"] and len(run.snippets)
    assert len(run.verdicts) == len(run.drafts) == 0 and "state" in run.verdicts.column_names
    assert run.status.rounds[1].promoted and run.promoted.name == "round-01"


def test_select_chooses_anew(run: inverse_instruct.Run, tmp_path: Path) -> None:
    every = inverse_instruct.select(run, tmp_path / "all", overrides=["selection.method=threshold"])
    best = inverse_instruct.select(run, tmp_path / "best")
    assert len(every) > len(best) == len(set(best["snippet_id"]))


def test_evaluate_judges_samples(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    problems = [json.loads(line) for line in MINI_PATH.read_text().splitlines()]
    write_rows(
        samples,
        ({"task_id": each["task_id"], "solution": each["prompt"] + each["canonical_solution"]} for each in problems),
    )
    report = inverse_instruct.evaluate("mini", tmp_path / "out", samples=samples)
    assert report.pass_at_1 and report.pass_at_1.base.rate == 1.0 and report.problems == len(problems)


def test_what_is_wrong_is_the_error_that_the_command_prints(tmp_path: Path) -> None:
    with pytest.raises(RunDirError):
        inverse_instruct.load_run(tmp_path)
    with pytest.raises(InverseInstructError, match="nowhere"):
        inverse_instruct.score([{"instruction": "Add.", "code": "x = 1"}], str(tmp_path / "nowhere"))
    with pytest.raises(InverseInstructError, match="either a model or samples"):
        inverse_instruct.evaluate("mini", tmp_path / "out")
    with pytest.raises(InverseInstructError, match="run.yaml"):
        inverse_instruct.run(tmp_path / "run.yaml")


def test_importing_the_package_is_quick() -> None:
    code = "import sys, inverse_instruct; assert not {'torch', 'datasets', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = inverse_instruct.nothing

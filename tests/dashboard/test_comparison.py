"""Runs of one folder side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.dashboard.comparison import compare_runs, list_runs
from inverse_instruct.errors import RequestError, RunDirError

from .made_run import HOSTILE, RunWriter


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    """Two runs, whose configs differ, beside a folder that is no run and one that is hidden."""
    for name, rate, config in (
        ("one", 0.3, "seed: 0\ntrain: {rate: 1, layers: [1, 2]}\nsuites:\n- {suite: mini, limit: 4}\n"),
        ("two", 0.5, f"seed: 0\ntrain: {{rate: 2, layers: [1, 2]}}\nnew: {HOSTILE[0]!r}\nsuites:\n- {{suite: mini}}\n"),
        (".service", 0.1, "seed: 0\n"),
    ):
        run = RunWriter(tmp_path / name, snippets=2)
        run.evaluate(0, rate, "promoted")
        run.run_dir.config.write_text(config)
        run.close("done")
    (tmp_path / "none").mkdir()
    return tmp_path


def test_runs_beside_it_are_known(two_runs: Path) -> None:
    assert list_runs(two_runs / "one") == ["one", "two"]


def test_measures_and_what_differs_in_the_configs(two_runs: Path) -> None:
    found = compare_runs(two_runs / "one", ["two", "one", "two"])
    assert (found["own"], found["known"]) == ("one", ["one", "two"])
    assert [run["folder"] for run in found["runs"]] == ["two", "one"]
    assert [run["rounds"][0]["suites"][0]["base"]["rate"] for run in found["runs"]] == [0.5, 0.3]
    assert found["fields"] == [
        {"key": "train.rate", "values": ["2", "1"]},
        {"key": "new", "values": [HOSTILE[0], None]},
        {"key": "suites.0.limit", "values": [None, "4"]},
    ]


@pytest.mark.parametrize("name", ["none", "../two", ".service", "", "/etc"])
def test_only_runs_beside_it_are_read(two_runs: Path, name: str) -> None:
    with pytest.raises(RequestError, match="beside this one; there are: one, two"):
        compare_runs(two_runs / "one", [name])


def test_a_page_has_room_for_so_many(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inverse_instruct.dashboard.comparison.MAX_COMPARED", 1)
    with pytest.raises(RequestError, match="2 runs are too many"):
        compare_runs(two_runs / "one", ["one", "two"])


def test_a_config_that_cannot_be_read_is_named(two_runs: Path) -> None:
    (two_runs / "two/run.yaml").write_text("{")
    with pytest.raises(RunDirError, match=r"two/run\.yaml: cannot be read"):
        compare_runs(two_runs / "one", ["one", "two"])

"""A run in small: each row's way, and what the whole run takes by what the preview took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop import preview
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.run_dir import RunDir
from tests.measured import phase
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import write_world


@pytest.fixture
def faked_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play previews with a fake engine."""

    def fake(config: Any, folder: Path) -> None:
        pin_config(config, RunDir(folder))
        play(config, folder, faked(RECIPES[config.recipe]))

    monkeypatch.setattr(preview, "run", fake)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_in_small(tiny_model: Path, tmp_path: Path, faked_run: None, recipe: str) -> None:
    config = load_config(write_world(tmp_path, tiny_model, recipe))
    measured = preview.preview(config, 2, tmp_path / "small")
    assert {stage.stage for stage in measured.stages} == {stage.verb for stage in RECIPES[recipe].stages}
    assert measured.seconds > 0 and measured.disk_bytes > 0
    assert not (tmp_path / "small/round-02").exists()


def test_the_command_shows_the_way_of_each_row(
    tiny_model: Path,
    tmp_path: Path,
    faked_run: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_world(tmp_path, tiny_model, "inversecoder")
    for _ in range(2):  # the second takes the place of the first
        words = ["inverse-instruct", "run", str(config), "--preview", "3", "--run-dir", str(tmp_path / "small")]
        monkeypatch.setattr("sys.argv", words)
        cli.main()
    shown = capsys.readouterr().out
    assert shown.count("corpus.jsonl:") == 2 * (3 + 3) and "not selected (selection)" in shown
    assert "The whole run, 2 rounds, by these rates:" in shown and (tmp_path / "small/report.html").is_file()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    with pytest.raises(RunDirError, match="is no preview"):
        preview.make_room(tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").read_text() == "precious"


def test_a_preview_under_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_text("{}")
    with RunDir(tmp_path).lock(), pytest.raises(RunDirError, match="of another process, which goes on"):
        preview.make_room(tmp_path)
    assert (tmp_path / "preview.json").exists()
    preview.make_room(tmp_path)
    assert not tmp_path.exists()


def manifest(stage: str, seconds: float, **metrics: Any) -> Manifest:
    return Manifest(stage=stage, key="k", rows_in=1, rows_out=1, rejected={}, seconds=seconds, metrics=metrics)


def test_what_does_not_grow_is_not_multiplied(tiny_model: Path, tmp_path: Path) -> None:
    config = load_config(write_world(tmp_path, tiny_model, "inversecoder"), ["rounds=3"])
    small = preview.preview_config(config, 2)
    run_dir = RunDir(tmp_path / "small")
    run_dir.path.mkdir()
    phases = [phase(0, "selected", 2, [2.0, 1.0]) | {"seconds": 5.0}]
    with Ledger(run_dir.ledger, create=True) as ledger:
        for number, found in (
            (0, manifest("preprocess", 2.0)),
            (1, manifest("summarize", 30.0, waited_for_engine=20.0)),
            (1, manifest("score", 30.0, together_with="summarize")),
            (1, manifest("train", 25.0, phases=phases)),
        ):
            ledger.start_stage(number, found.stage)
            ledger.finish_stage(number, found)
    measured = {stage.stage: stage.seconds for stage in preview.estimate(config, small, run_dir.path).stages}
    assert measured["preprocess"] == pytest.approx(4.0), "four rows in place of two, once"
    assert measured["summarize"] == pytest.approx(3 * (20 + 2 * 10)) and measured["score"] == 0
    assert measured["train"] == pytest.approx(3 * (20 + 2 * 5))


@pytest.mark.parametrize("rows", ["0", "-1", "many", ""])
def test_a_number_of_rows_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: str
) -> None:
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "run", "x.yaml", "--preview", rows])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2 and "is no number of rows above 0" in capsys.readouterr().err

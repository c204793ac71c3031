"""A checkpoint appears whole, replaces only our own, and is left alone by what happens to the export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inverse_instruct.errors import TrainingError
from inverse_instruct.training.publish import check_target, publish


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.safetensors").write_text("weights")
    return folder


def test_the_checkpoint_outlives_the_export(tmp_path: Path, export: Path) -> None:
    files = publish(export, tmp_path / "checkpoints" / "00", "k")
    shutil.rmtree(export)
    assert [path.name for path in files] == ["model.safetensors", "training.json"]
    assert files[0].read_text() == "weights"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["00"]


def test_an_older_checkpoint_of_ours_is_replaced(tmp_path: Path, export: Path) -> None:
    publish(export, tmp_path / "00", "k")
    (export / "model.safetensors").unlink()
    (export / "model.safetensors").write_text("new")
    assert publish(export, tmp_path / "00", "l")[0].read_text() == "new"


def test_what_a_kill_left_behind_is_cleared_away(tmp_path: Path, export: Path) -> None:
    publish(export, tmp_path / "00", "k")
    (tmp_path / "00").rename(tmp_path / ".00.old")  # killed before the new one took its place
    (tmp_path / ".00.tmp").mkdir()
    assert publish(export, tmp_path / "00", "k")[0].read_text() == "weights"
    assert [path.name for path in tmp_path.iterdir() if path != export] == ["00"]


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path, export: Path) -> None:
    foreign = tmp_path / "home"
    foreign.mkdir()
    check_target(foreign)
    (foreign / "thesis.tex").write_text("years of work")
    with pytest.raises(TrainingError, match="is not a checkpoint of this training"):
        publish(export, foreign, "k")
    assert (foreign / "thesis.tex").exists()

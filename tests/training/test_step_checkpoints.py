"""Only a checkpoint that was saved whole is gone on from, and the loss curve is cut to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inverse_instruct.store.losses import read_losses
from inverse_instruct.training.step_checkpoints import MARKER, mark_complete, newest_complete


def make(folder: Path, step: int, *, complete: bool = True, ranks: int = 1) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "global_step").mkdir(parents=True)
    (checkpoint / "global_step" / "weights.pt").write_text("w" * step)
    if complete:
        losses(folder).write_text("".join(f'{{"step": {number}}}\n' for number in range(1, step + 1)))
        mark_complete(checkpoint, ranks, losses(folder))
    return checkpoint


def losses(folder: Path) -> Path:
    return folder.parent / f"{folder.name}-loss.jsonl"


def newest(folder: Path, ranks: int = 1) -> Path | None:
    return newest_complete(folder, ranks, losses(folder))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_unfinished_checkpoints_are_passed_over_and_removed(tmp_path: Path) -> None:
    make(tmp_path, 8)
    make(tmp_path, 16, complete=False)
    assert newest(tmp_path) == tmp_path / "checkpoint-8"
    assert names(tmp_path) == ["checkpoint-8"]


def test_marking_removes_older_ones_and_ten_is_newer_than_nine(tmp_path: Path) -> None:
    make(tmp_path, 9)
    make(tmp_path, 10)
    assert names(tmp_path) == ["checkpoint-10"]


def test_a_file_that_lost_bytes_or_is_gone_makes_it_unusable(tmp_path: Path) -> None:
    checkpoint = make(tmp_path, 4)
    (checkpoint / "global_step" / "weights.pt").write_text("w")
    assert newest(tmp_path) is None
    assert names(tmp_path) == []


def test_another_number_of_ranks_starts_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, 4, ranks=2)
    assert newest(tmp_path) is None
    assert "2 ranks" in caplog.text


def test_a_torn_marker_does_not_count(tmp_path: Path) -> None:
    (make(tmp_path, 4) / MARKER).write_text('{"ranks"')
    assert newest(tmp_path) is None


def test_no_folder_means_no_checkpoint(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None


def test_losses_behind_the_checkpoint_are_cut(tmp_path: Path) -> None:
    make(tmp_path, 2)
    losses(tmp_path).write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 4, "lo')
    assert [line["step"] for line in read_losses(losses(tmp_path))] == [1, 2, 3]
    assert newest(tmp_path) is not None
    assert losses(tmp_path).read_text() == '{"step": 1}\n{"step": 2}\n'
    (tmp_path / "checkpoint-2" / MARKER).unlink()
    assert newest(tmp_path) is None
    assert read_losses(losses(tmp_path)) == []


@pytest.mark.parametrize("place", ["weights.pt", MARKER, "loss.jsonl", "a file that was not there"])
def test_a_flipped_bit_anywhere_is_found_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    checkpoint = make(tmp_path, 4)
    path = {
        "weights.pt": checkpoint / "global_step/weights.pt",
        MARKER: checkpoint / MARKER,
        "loss.jsonl": losses(tmp_path),
    }.get(place, checkpoint / "more.pt")
    content = bytearray(path.read_bytes() if path.exists() else b"x")
    content[0] ^= 1
    path.write_bytes(content)
    assert newest(tmp_path) is None and not checkpoint.exists()
    assert path.name in caplog.text and "damaged" in caplog.text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_pickles_of_another_user_are_not_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = make(tmp_path, 4)
    os.chown(checkpoint / "global_step/weights.pt", 12345, -1)
    assert newest(tmp_path) is None
    assert "belongs to another user" in caplog.text

"""Only a checkpoint that was saved whole is gone on from, and the loss curve is cut to it."""

from __future__ import annotations

from inverse_instruct.training.step_checkpoints import MARKER, cut_losses, mark_complete, newest_complete, read_losses


def make(folder, step, *, complete=True, ranks=1):
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "global_step").mkdir(parents=True)
    (checkpoint / "global_step" / "weights.pt").write_text("w" * step)
    if complete:
        mark_complete(checkpoint, ranks)
    return checkpoint


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_unfinished_checkpoints_are_passed_over_and_removed(tmp_path):
    make(tmp_path, 8)
    make(tmp_path, 16, complete=False)
    assert newest_complete(tmp_path, 1) == tmp_path / "checkpoint-8"
    assert names(tmp_path) == ["checkpoint-8"]


def test_marking_removes_older_ones_and_ten_is_newer_than_nine(tmp_path):
    make(tmp_path, 9)
    make(tmp_path, 10)
    assert names(tmp_path) == ["checkpoint-10"]


def test_a_file_that_lost_bytes_or_is_gone_makes_it_unusable(tmp_path):
    checkpoint = make(tmp_path, 4)
    (checkpoint / "global_step" / "weights.pt").write_text("w")
    assert newest_complete(tmp_path, 1) is None
    assert names(tmp_path) == []


def test_another_number_of_ranks_starts_anew(tmp_path, caplog):
    make(tmp_path, 4, ranks=2)
    assert newest_complete(tmp_path, 1) is None
    assert "2 ranks" in caplog.text


def test_a_torn_marker_does_not_count(tmp_path):
    (make(tmp_path, 4) / MARKER).write_text('{"ranks"')
    assert newest_complete(tmp_path, 1) is None


def test_no_folder_means_no_checkpoint(tmp_path):
    assert newest_complete(tmp_path / "none", 1) is None


def test_losses_behind_the_checkpoint_are_cut(tmp_path):
    path = tmp_path / "loss.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n{"step": 3, "lo')
    assert [line["step"] for line in read_losses(path)] == [1, 2]
    cut_losses(path, 1)
    assert path.read_text() == '{"step": 1, "loss": 3}\n'
    cut_losses(path, 0)
    assert read_losses(path) == []

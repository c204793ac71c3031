"""A folder that one process holds, and file systems that cannot lock."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from inverse_instruct.errors import RunDirError, TrainingError
from inverse_instruct.store import folder_lock
from inverse_instruct.store.folder_lock import check_free, is_locked, lock_folder
from inverse_instruct.training.stage_folder import await_stale_workers


def failing(number: int) -> object:
    def flock(stream: object, how: int) -> None:
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused_in_clear_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(number))
    told = "its file system cannot lock files .*choose another --run-dir"
    with pytest.raises(RunDirError, match=told):
        check_free(tmp_path, "--run-dir")
    with pytest.raises(RunDirError, match=told) as caught, lock_folder(tmp_path, "--run-dir"):
        pass
    assert "in use" not in str(caught.value)
    assert not is_locked(tmp_path)
    with pytest.raises(TrainingError, match="its file system cannot lock files"):
        await_stale_workers(tmp_path / "lock")


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_that_another_holds_is_told_from_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "lock").write_text("pid 7 on elsewhere")
    monkeypatch.setattr(folder_lock, "LOOKING_SECONDS", 0.0)
    monkeypatch.setattr(fcntl, "flock", failing(number))
    assert is_locked(tmp_path)
    with pytest.raises(RunDirError, match="is in use by pid 7 on elsewhere"), lock_folder(tmp_path, "--run-dir"):
        pass


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "run", "--run-dir"):
        assert is_locked(tmp_path / "run")
        with pytest.raises(RunDirError, match=f"is in use by pid {os.getpid()} on"):
            check_free(tmp_path / "run", "--run-dir")
    check_free(tmp_path / "run", "--run-dir")
    assert not is_locked(tmp_path / "run")

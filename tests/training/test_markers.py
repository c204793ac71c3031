"""What a phase left behind is believed only as far as its markers vouch for it; stale workers are waited for."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from inverse_instruct.errors import TrainingError
from inverse_instruct.store.files import file_digest, write_json
from inverse_instruct.training import stage_folder
from inverse_instruct.training.job import PhaseFolder


@pytest.fixture
def phase(tmp_path: Path) -> PhaseFolder:
    paths = PhaseFolder(tmp_path / "phase-0-selected")
    paths.export.mkdir(parents=True)
    (paths.export / "model.safetensors").write_bytes(b"weights" * 100)
    paths.losses.write_text('{"step": 1}\n')
    write_json(
        paths.done,
        {
            "files": {
                "export/model.safetensors": file_digest(paths.export / "model.safetensors"),
                "loss.jsonl": file_digest(paths.losses),
            }
        },
    )
    return paths


def test_a_whole_export_is_gone_on_from(phase: PhaseFolder, caplog: pytest.LogCaptureFixture) -> None:
    assert phase.is_done() and phase.is_as_marked(phase.done)
    assert not phase.is_as_marked(phase.prepared), "there is no such marker"
    assert not caplog.text


@pytest.mark.parametrize("name", ["export/model.safetensors", "loss.jsonl", "done.json"])
@pytest.mark.parametrize("spoil", ["flip", "cut", "remove"])
def test_damage_is_named(phase: PhaseFolder, caplog: pytest.LogCaptureFixture, name: str, spoil: str) -> None:
    path = phase.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    if spoil == "remove" and name != "done.json":
        path.unlink()
    else:
        path.write_bytes(content if spoil == "flip" else content[:-3])
    assert not phase.is_as_marked(phase.done)
    assert "is damaged" in caplog.text


def test_stale_workers_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "workers.lock"
    monkeypatch.setattr(stage_folder, "STALE_WORKERS_SECONDS", 1.0)
    with lock.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        with pytest.raises(TrainingError, match="still write into"):
            stage_folder.await_stale_workers(lock)
        timer = threading.Timer(0.3, lambda: fcntl.flock(stream, fcntl.LOCK_UN))
        timer.start()
        began = time.monotonic()
        stage_folder.await_stale_workers(lock)
        assert time.monotonic() - began < 1
        timer.join()

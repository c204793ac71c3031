"""One rank starts without a launcher, several under DeepSpeed's, on the GPUs there are."""

from __future__ import annotations

import base64
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.system import machine
from inverse_instruct.training import launch


def world(command: list[str]) -> Any:
    return json.loads(base64.urlsafe_b64decode(command[3].removeprefix("--world_info=")))


def test_the_launcher_keeps_to_the_visible_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-5,6")
    command = launch.worker_command(TrainSection(), 2, tmp_path / "job.json")
    assert world(command) == {"localhost": ["4", "GPU-5"]}


def test_one_rank_needs_no_launcher(tmp_path: Path) -> None:
    command = launch.worker_command(TrainSection(), 1, tmp_path / "job.json")
    assert command[1:] == ["-m", "inverse_instruct.training.worker", str(tmp_path / "job.json")]
    environment = launch.worker_environment(TrainSection(), 1, gpus=0)
    assert (environment["RANK"], environment["WORLD_SIZE"], environment["DS_ACCELERATOR"]) == ("0", "1", "cpu")


def test_several_ranks_run_under_the_launcher(tmp_path: Path) -> None:
    command = launch.worker_command(TrainSection(processes=2), 2, tmp_path / "job.json")
    assert command[1:3] == ["-m", "deepspeed.launcher.launch"]
    assert world(command) == {"localhost": ["0", "1"]}
    assert "DS_ACCELERATOR" not in launch.worker_environment(TrainSection(), 2, gpus=2)


def test_ranks_follow_the_gpus_unless_said_otherwise() -> None:
    assert launch.rank_count(TrainSection(), 0) == 1
    assert launch.rank_count(TrainSection(), 8) == 8
    assert launch.rank_count(TrainSection(processes=3), 8) == 3


def test_a_hostfile_decides_over_all_machines(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# ours\nalpha slots=4\nbeta slots=2\n")
    config = TrainSection(hostfile=str(hosts))
    assert launch.rank_count(config, 0) == 6
    command = launch.worker_command(config, 6, tmp_path / "job.json")
    assert command[command.index("--hostfile") + 1] == str(hosts)
    assert "--num_accelerators" not in command


def test_an_unusable_hostfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        launch.rank_count(TrainSection(hostfile=str(tmp_path / "none")), 0)
    (tmp_path / "empty").write_text("alpha\n")
    with pytest.raises(ConfigError, match="slots=N"):
        launch.rank_count(TrainSection(hostfile=str(tmp_path / "empty")), 0)


def test_visible_gpus_are_counted_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert machine.gpu_count() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpu_count() == 0
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert machine.gpu_count() == 0

"""One rank starts without a launcher, several under DeepSpeed's, on the GPUs there are."""

from __future__ import annotations

import base64
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.system import machine
from inverse_instruct.training import launch, requirements


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


def test_slurm_starts_ranks_on_all_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NNODES", "2")
    monkeypatch.setenv("SLURMD_NODENAME", "alpha")
    config = TrainSection(launcher="slurm")
    assert launch.rank_count(config, 8) == 16
    command = " ".join(launch.worker_command(config, 16, tmp_path / "job.json"))
    assert command.startswith("srun --nodes 2 --ntasks 16 --ntasks-per-node 8 ") and "--kill-on-bad-exit=1" in command
    environment = launch.worker_environment(config, 16, gpus=8)
    assert environment["MASTER_ADDR"] == "alpha" and int(environment["MASTER_PORT"]) > 0 and "RANK" not in environment


def test_a_worker_takes_its_rank_from_slurm_unless_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROCID": "9", "LOCALID": "1", "NTASKS": "16", "NTASKS_PER_NODE": "8"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_SIZE"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    launch.take_rank_of_slurm()
    assert [os.environ[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_SIZE")] == ["9", "1", "16", "8"]
    monkeypatch.setenv("SLURM_PROCID", "3")
    launch.take_rank_of_slurm()
    assert os.environ["RANK"] == "9"


def test_slurm_without_an_allocation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_NNODES", raising=False)
    monkeypatch.delenv("SLURM_JOB_NUM_NODES", raising=False)
    found = list(requirements.machine_problems(TrainSection(launcher="slurm")))
    assert ["SLURM_NNODES is not set" in problem for problem in found] == [True, False] and "needs srun" in found[1]


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

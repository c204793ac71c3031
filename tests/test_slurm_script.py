"""`launch/slurm.sbatch` has engines started on the other nodes of an allocation, of which there may be none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from inverse_instruct.config.config_file import parse_config

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("nodes", "others"), [(["a"], []), (["a", "b", "c"], ["b", "c"]), (["b", "a"], ["b"])])
def test_engines_are_started_on_the_other_nodes(tmp_path: Path, nodes: list[str], others: list[str]) -> None:
    programs = {"scontrol": "\n".join(f"echo {node}" for node in nodes), "inverse-instruct": 'printf "%s\\n" "$@"'}
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "x", "SLURMD_NODENAME": "a"}
    command = ["bash", str(ROOT / "launch/slurm.sbatch"), "run.yaml"]
    shown = subprocess.run(command, env=environment, text=True, capture_output=True, check=True).stdout.splitlines()
    assert shown[:4] == ["run", "run.yaml", "--set", "train.launcher=slurm"]
    config = parse_config({"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}, shown[5::2])
    assert config.inference.hosts == others
    assert (config.inference.start or "").endswith("--nodelist={host} {command}") == bool(others)

"""Which GPUs a process may use, with a stand-in for `nvidia-smi` or without one."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from inverse_instruct.system import machine

SLICED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)
  MIG 3g.40gb     Device  0: (UUID: MIG-aa)
  MIG 3g.40gb     Device  1: (UUID: MIG-bb)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-2)
"""


@pytest.fixture(autouse=True)
def no_cpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_slices_are_devices_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{SLICED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert machine.gpus() == ["MIG-aa", "MIG-bb", "1"] and machine.gpu_count() == 3
    assert machine.gpu_names() == {
        "MIG-aa": "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "MIG-bb": "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "1": "NVIDIA H100 80GB HBM3",
    }
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-bb")
    assert machine.gpus() == ["MIG-bb"]


@pytest.mark.parametrize(("said", "count"), [("2\n", 2), ("", 0)])
def test_without_nvidia_smi_torch_is_asked(monkeypatch: pytest.MonkeyPatch, said: str, count: int) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert "torch.cuda.device_count()" in command[-1]
        return subprocess.CompletedProcess(command, 0 if said else 1, said, "")

    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(subprocess, "run", run)
    machine._devices_of_torch.cache_clear()
    assert machine.gpu_count() == count
    machine._devices_of_torch.cache_clear()


def test_a_build_for_gpus_that_finds_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from inverse_instruct.config.sections import InferenceSection
    from inverse_instruct.inference.requirements import machine_problems

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    [problem] = machine_problems(InferenceSection())
    assert "built for GPUs here, but none can be used" in problem and "--gpus all" in problem

"""`launch/gpu.sh` says all that a machine lacks at once, and else runs a command with the lock file for GPUs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("bash", "sh", "head", "sed", "printf", "env")


def run(
    folder: Path, *, driver: str | None, gcc: bool = True, headers: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run it on a made-up machine, with a command that prints the device."""
    programs = folder / "bin"
    programs.mkdir()
    for name in TOOLS:
        [real] = [Path(place, name) for place in ("/bin", "/usr/bin") if Path(place, name).exists()][:1]
        (programs / name).symlink_to(real)
    include = folder / "include"
    include.mkdir()
    if headers:
        (include / "Python.h").touch()
    stubs = {"python3.11": f"echo {include}"}
    if driver is not None:
        stubs["nvidia-smi"] = f"echo '{driver}'"
    if gcc:
        stubs["gcc"] = "true"
    for name, body in stubs.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    command = [str(ROOT / "launch/gpu.sh"), "sh", "-c", "echo device $INVERSE_INSTRUCT_DEVICE"]
    return subprocess.run(command, env={"PATH": str(programs)}, text=True, capture_output=True, check=False)


def test_a_machine_with_all_of_it_runs_the_command(tmp_path: Path) -> None:
    ended = run(tmp_path, driver="580.95.05")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "device gpu\n", "")


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"driver": "550.54.14"}, ["the driver is 550.54.14, and CUDA 13 needs 580 or later"]),
        ({"driver": "No devices were found"}, ["nvidia-smi shows no GPU"]),
        ({"driver": "590.1", "gcc": False}, ["gcc is missing; run: apt-get install gcc"]),
        ({"driver": "590.1", "headers": False}, ["Python's headers are missing in"]),
        ({"driver": "535.1", "gcc": False, "headers": False}, ["the driver is 535.1", "gcc is", "Python's headers"]),
    ],
)
def test_what_is_missing_is_said_at_once(tmp_path: Path, machine: dict[str, object], said: list[str]) -> None:
    ended = run(tmp_path, **machine)  # type: ignore[arg-type]
    problems = ended.stderr.splitlines()
    assert ended.returncode == 1 and not ended.stdout and len(problems) == len(said)
    assert all(
        problem.startswith("error: ") and words in problem for problem, words in zip(problems, said, strict=True)
    )


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a driver here")
def test_without_a_driver_the_scripts_for_cpus_are_named(tmp_path: Path) -> None:
    ended = run(tmp_path, driver=None)
    assert ended.returncode == 1 and "no NVIDIA driver here" in ended.stderr and "without gpu.sh" in ended.stderr


def test_without_a_command_it_says_how_it_is_used() -> None:
    ended = subprocess.run([ROOT / "launch/gpu.sh"], env=os.environ, text=True, capture_output=True, check=False)
    assert ended.returncode == 2 and "./launch/gpu.sh ./launch/quickstart.sh" in ended.stdout

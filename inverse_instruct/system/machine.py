"""What this machine has: GPUs, numeric types, libraries, free ports. Found out without importing torch."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inverse_instruct.errors import ServerError

INTEL_OPENMP = Path(sys.prefix, "lib", "libiomp5.so")
"""Of the package `intel-openmp`; measurably faster than GNU's runtime on CPUs where it is preloaded."""


def gpu_count() -> int:
    """Return the number of GPUs that this process may use; 0 with a CPU build of torch."""
    return len(gpus())


def gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES may list for each GPU that this process may use; [] with a CPU build of torch.

    A slice of a GPU (MIG) is one of its own. Where there is no `nvidia-smi`, as in some containers, torch is asked.
    """
    if importlib.metadata.version("torch").endswith("+cpu"):
        return []
    visible = visible_devices()
    if visible is not None:
        return visible
    if shutil.which("nvidia-smi") is None:
        return [str(number) for number in range(_devices_of_torch())]
    return [device for device, _ in _listed()]


def gpu_names() -> dict[str, str]:
    """Return the names of this machine's GPUs by what CUDA_VISIBLE_DEVICES may list for them."""
    return dict(_listed()) if shutil.which("nvidia-smi") else {}


def _listed() -> list[tuple[str, str]]:
    """Return (number or MIG's UUID, name) of each device in the list of `nvidia-smi`."""
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found: list[tuple[str, str]] = []
    slices: dict[str, list[tuple[str, str]]] = {}
    for line in listing.stdout.splitlines():
        if gpu := re.match(r"GPU (\d+): (.*?) \(UUID", line):
            found.append((gpu[1], gpu[2]))
            slices[gpu[1]] = []
        elif found and (part := re.match(r"\s+MIG (\S+) .*UUID: (MIG-[^)]+)\)", line)):
            slices[found[-1][0]].append((part[2], f"{found[-1][1]} MIG {part[1]}"))
    return [device for number, name in found for device in slices[number] or [(number, name)]]


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """The memory of one GPU, in bytes."""

    free: int
    total: int


def gpu_memory() -> dict[str, GpuMemory]:
    """Return the memory of GPUs by their numbers, and by their UUIDs; not of those that tell none, such as slices."""
    query = ["nvidia-smi", "--query-gpu=index,uuid,memory.free,memory.total", "--format=csv,noheader,nounits"]
    if shutil.which(query[0]) is None:
        return {}
    found: dict[str, GpuMemory] = {}
    for line in subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines():
        number, uuid, *told = (value.strip() for value in line.split(","))
        if len(told) == 2 and all(value.isdecimal() for value in told):  # "[N/A]" where it is shared
            found[number] = found[uuid] = GpuMemory(int(told[0]) << 20, int(told[1]) << 20)
    return found


@cache
def _devices_of_torch() -> int:
    code = "import torch; print(torch.cuda.device_count())"
    counted = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return int(counted.stdout) if counted.returncode == 0 else 0


def visible_devices() -> list[str] | None:
    """Return what CUDA_VISIBLE_DEVICES lists; None if it is not set."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if value is None else [entry for entry in value.split(",") if entry.strip() not in ("", "-1")]


def cpu_does_bfloat16() -> bool:
    """Tell whether the CPU multiplies bf16 matrices in hardware (AVX512-BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def free_port(port: int = 0) -> int:
    """Return the port if it can be bound on 127.0.0.1; 0 finds a free one.

    Raises:
        ServerError: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"port {port} on 127.0.0.1 is in use; set inference.port to another one, or to 0 for any free one"
            ) from error
        return int(probe.getsockname()[1])


def cache_folder() -> Path:
    """Return the folder for what may be made again: `inverse-instruct` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inverse-instruct"

"""What this machine has: GPUs, numeric types, libraries, free ports. Found out without importing torch."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from inverse_instruct.errors import ServerError

INTEL_OPENMP = Path(sys.prefix, "lib", "libiomp5.so")
"""Of the package `intel-openmp`; measurably faster than GNU's runtime on CPUs where it is preloaded."""


def gpu_count() -> int:
    """Return the number of GPUs that this process may use; 0 with a CPU build of torch."""
    if importlib.metadata.version("torch").endswith("+cpu"):
        return 0
    visible = visible_devices()
    if visible is not None:
        return len(visible)
    if shutil.which("nvidia-smi") is None:
        return 0
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return len([line for line in listing.stdout.splitlines() if line.startswith("GPU ")])


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

"""Whether there is room for further engines before they are started.

Enters: a model folder and the `inference` section. Leaves: nothing, or a `ServerError` with the two figures. The need
is an estimate: weights, key-value cache and what an engine takes beside them.
"""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import psutil

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.gateway.untied import read_header
from inverse_instruct.system.machine import gpu_count

GIB = 1 << 30
ENGINE_BYTES = 1.5 * GIB  # interpreter, libraries and activations of an engine on a CPU
REMEDY = "free some, or set serve.mode: in_place, which needs no second engine"


def check_memory(folder: Path, section: InferenceSection, engines: int) -> None:
    """See that there is memory for so many further engines.

    Raises:
        ServerError: there is not.
    """
    if gpu_count() > 0:
        _check_gpu(section)
        return
    item_bytes = 2 if section.dtype in ("bfloat16", "float16") else 4
    weights = item_bytes * sum(
        math.prod(tensor["shape"]) for path in folder.glob("*.safetensors") for tensor in read_header(path).values()
    )
    need = engines * (weights + section.cpu_kv_cache_gib * GIB + ENGINE_BYTES)
    free = psutil.virtual_memory().available
    if free < need:
        raise ServerError(
            f"{engines} more engine(s) need about {need / GIB:.1f} GiB of memory, and {free / GIB:.1f} "
            f"GiB are free; {REMEDY}"
        )


def _check_gpu(section: InferenceSection) -> None:
    query = ["nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"]
    listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    for line in listing.splitlines():
        free, total = (float(value) / 1024 for value in line.split(","))
        need = section.gpu_memory_utilization * total
        if free < need:
            raise ServerError(
                f"another engine takes {need:.1f} GiB of each GPU (inference.gpu_memory_utilization), "
                f"and of one {free:.1f} GiB are free; lower that share, {REMEDY}"
            )

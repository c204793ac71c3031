"""Whether there is room for further engines before they are started.

Enters: a model folder, the `inference` section and the GPUs of each engine. Leaves: nothing, or a `NoRoomError` with
the two figures. The need is an estimate: weights, key-value cache and what an engine takes beside them. Not guaranteed:
GPUs of which `nvidia-smi` does not tell the memory, such as slices; they are let pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import NoRoomError
from inverse_instruct.inference.model_files import parameter_count
from inverse_instruct.system.machine import gpu_memory

GIB = 1 << 30
ENGINE_BYTES = 1.5 * GIB  # interpreter, libraries and activations of an engine on a CPU


def check_memory(folder: Path, section: InferenceSection, groups: Sequence[Sequence[str]]) -> None:
    """See that there is memory for further engines.

    Args:
        folder: of the model.
        section: how engines are run.
        groups: the GPUs of each engine, as CUDA_VISIBLE_DEVICES names them; none: it is on the CPUs.

    Raises:
        NoRoomError: there is not.
    """
    if engines_of := Counter(device for devices in groups for device in devices):
        _check_gpus(section, engines_of)
        return
    engines = len(groups)
    item_bytes = 2 if section.dtype in ("bfloat16", "float16") else 4
    need = engines * (item_bytes * parameter_count(folder) + section.cpu_kv_cache_gib * GIB + ENGINE_BYTES)
    free = psutil.virtual_memory().available
    if free < need:
        raise NoRoomError(
            f"{engines} more engine(s) need about {need / GIB:.1f} GiB of memory, and {free / GIB:.1f} GiB are free; "
            "free some"
        )


def _check_gpus(section: InferenceSection, engines_of: Counter[str]) -> None:
    for device, memory in gpu_memory().items():
        engines = engines_of[device]
        if not engines:
            continue
        free, total = memory.free / GIB, memory.total / GIB
        need = engines * section.gpu_memory_utilization * total
        if free < need:
            raise NoRoomError(
                f"{engines} more engine(s) take {need:.1f} GiB of GPU {device} (inference.gpu_memory_utilization), and "
                f"{free:.1f} GiB are free; free some, or lower that share"
            )

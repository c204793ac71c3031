"""The engines of one model: one on each group of GPUs, or one on the CPUs; here, and on other machines of the config.

Enters: the `inference` section and a model folder. Leaves: servers that are not started yet, each with GPUs of its own,
each an endpoint of its own. Other machines are taken to have the GPUs that this one has.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from inverse_instruct.config.sections import InferenceSection, ModelSection
from inverse_instruct.inference.elsewhere import Elsewhere
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.system.machine import gpu_names, gpus


def device_groups(section: InferenceSection, among: Sequence[str] | None = None) -> list[list[str]]:
    """Return the GPUs of each engine, as CUDA_VISIBLE_DEVICES names them; [[]] is one engine on the CPUs.

    Args:
        section: how many GPUs an engine has.
        among: these GPUs; None: all that are visible.
    """
    devices, size = gpus() if among is None else list(among), section.tensor_parallel_size
    copies = section.data_parallel_size or max(1, len(devices) // size)
    return [devices[number * size : (number + 1) * size] for number in range(copies)] if devices else [[]]


def groups_for(section: InferenceSection, engines: int, among: Sequence[str] | None = None) -> list[list[str]]:
    """Return the GPUs of each of so many engines; those that outnumber the groups share one."""
    groups = device_groups(section, among)
    return [groups[number % len(groups)] for number in range(engines)]


def visible(devices: list[str]) -> dict[str, str]:
    """Return the variables that leave an engine these GPUs alone."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {}


def describe(section: InferenceSection) -> str:
    """Return in words which engines there will be, and what they leave idle."""
    groups = device_groups(section)
    if groups == [[]]:
        return f"no GPU: 1 engine on the CPUs{_beyond(section)}"
    devices, names, used = gpus(), gpu_names(), sum(map(len, groups))
    count = len(devices)
    kinds = Counter(names.get(device, "GPU") for device in devices)
    here = " and ".join(f"{number} × {name}" for name, number in kinds.items())
    size = section.tensor_parallel_size
    engines = f"{len(groups)} engine{'s' * (len(groups) > 1)} of {size} GPU{'s' * (size > 1)}"
    return f"{here}: {engines}{_beyond(section)}" + (
        f"; {count - used} of {count} GPUs are left idle" if used < count else ""
    )


def _beyond(section: InferenceSection) -> str:
    return f" here, and as many on each of {', '.join(section.hosts)}" if section.hosts else ""


def fleet(model: Path, words: ModelSection, section: InferenceSection, log: Path) -> list[VllmServer]:
    """Return the engines of a model.

    Args:
        model: local model folder.
        words: how models are spoken to.
        section: how engines are run.
        log: file that takes the output of the first one; the others' stand beside it.
    """
    groups = device_groups(section)
    size = section.tensor_parallel_size
    elsewhere = [
        [] if devices == [] else [str(gpu) for gpu in range(number * size, (number + 1) * size)]
        for number, devices in enumerate(groups)
    ]
    places: list[tuple[str | None, list[str]]] = [(None, devices) for devices in groups]
    places += [(host, devices) for host in section.hosts for devices in elsewhere]
    key = secrets.token_urlsafe(24) if section.hosts else None
    return [
        VllmServer(
            model,
            section.model_copy(update={"port": section.port and section.port + number}),
            max_model_len=words.max_model_len,
            log=log if number == 0 else log.with_stem(f"{log.stem}-{number}"),
            trust_remote_code=words.trust_remote_code,
            environment=visible(devices),
            elsewhere=Elsewhere(host, section.start or "") if host else None,
            key=key,
        )
        for number, (host, devices) in enumerate(places)
    ]

"""Whether a training can start: what its workers would refuse in their first minute, found without starting them.

Enters: the `train` section and the folder of the base model. Leaves: every problem, with its key and remedy. Not
guaranteed: that the memory suffices for activations, or that the other hosts of a hostfile answer.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.inference.model_files import layer_names
from inverse_instruct.system.machine import gpu_count
from inverse_instruct.training.launch import rank_count, read_hostfile
from inverse_instruct.training.memory import memory_problems
from inverse_instruct.training.zero import load_deepspeed_config


def machine_problems(config: TrainSection) -> Iterator[str]:
    """Yield what is wrong with the files that the section names, and what this machine lacks, whatever the model."""
    if find_spec("deepspeed") is None:
        yield "train: DeepSpeed is not installed here; install this package with its extra `cpu` or `gpu`"
    try:
        yield from _batch_problems(config)
    except ConfigError as error:
        yield from error.problems
    if config.hostfile is not None:
        try:
            if len(read_hostfile(config.hostfile)) > 1 and shutil.which("pdsh") is None:
                yield "train.hostfile: several hosts are reached with pdsh, which is missing; apt-get install pdsh"
        except ConfigError as error:
            yield from error.problems
    elif config.launcher == "slurm":
        try:
            rank_count(config, 1)
        except ConfigError as error:
            yield from error.problems
        if shutil.which("srun") is None:
            yield "train.launcher: slurm needs srun, which is not here; start the run on a node of the cluster"
    elif (gpus := gpu_count()) and config.processes and config.processes > gpus:
        yield f"train.processes: {config.processes} ranks take as many GPUs, but {gpus} are here; lower it, or null"


def model_problems(config: TrainSection, base: Path) -> Iterator[str]:
    """Yield where the section does not fit the base model."""
    if config.lora is not None:
        wanted, there = config.lora.target_modules, layer_names(base)
        if not any(name == "all-linear" or name.split(".")[-1] in there for name in wanted):
            yield (
                f"train.lora.target_modules: the model has none of {', '.join(wanted)}; its layers are "
                f"{', '.join(sorted(there)[:20])}"
            )
    try:
        yield from memory_problems(config, base)
    except ConfigError:
        return  # which `machine_problems` tells


def _batch_problems(config: TrainSection) -> Iterator[str]:
    """Yield where the DeepSpeed config says another size of batches than the section.

    Raises:
        ConfigError: it cannot be read.
    """
    said = load_deepspeed_config(config.deepspeed)
    for name, key, size in (
        ("train_batch_size", "global_batch_size", config.global_batch_size),
        ("train_micro_batch_size_per_gpu", "micro_batch_size", config.micro_batch_size),
    ):
        if said.get(name, "auto") not in ("auto", size):
            yield (
                f"train.deepspeed: {config.deepspeed} says {name} {said[name]}, but train.{key} is {size}; write "
                '"auto" there'
            )

"""Whether the weights, gradients and optimizer state of a training fit its GPUs, and what would fit instead.

Enters: the `train` section, a model folder, the GPUs that are here. Leaves: a problem with the figures and the remedy,
or nothing. What is counted is what DeepSpeed holds for sure; activations, logits and buffers come on top, so a training
that passes may still run out of memory.

Bytes a weight: 2 in bf16 and 4 for the fp32 copy that is stepped; 4 for an fp32 gradient; 4 for Adafactor (its state
is not factored on flat shards), 8 for AdamW. ZeRO-1 shares copy and state among the ranks, ZeRO-2 the gradients too,
ZeRO-3 the weights too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.inference.model_files import parameter_count
from inverse_instruct.system.machine import gpu_memory, gpus
from inverse_instruct.training.launch import rank_count
from inverse_instruct.training.zero import load_deepspeed_config

GIB = 1 << 30
WEIGHT, GRADIENT, COPY = 2, 4, 4
STATE = {"adafactor": 4, "adamw": 8}


def bytes_per_rank(parameters: int, optimizer: str, stage: int, ranks: int) -> int:
    """Return what a rank holds of a model all of whose weights are trained in bf16.

    Args:
        parameters: of the model.
        optimizer: `adafactor` or `adamw`.
        stage: of ZeRO; 0 shares nothing.
        ranks: over all machines.
    """
    parts = {1: COPY + STATE[optimizer], 2: GRADIENT, 3: WEIGHT}  # by the stage that shares them
    return sum(math.ceil(size * parameters / (ranks if stage >= shared else 1)) for shared, size in parts.items())


def memory_problems(config: TrainSection, base: Path) -> Iterator[str]:
    """Yield a problem if a training cannot fit the GPUs that are here.

    Raises:
        ConfigError: the DeepSpeed config or the hostfile cannot be read.
    """
    memory = gpu_memory()
    totals = [memory[device].total for device in gpus() if device in memory]
    optimization = load_deepspeed_config(config.deepspeed).get("zero_optimization", {})
    if not totals or _offloads(optimization):
        return
    total, ranks, stage = min(totals), rank_count(config, len(gpus())), int(optimization.get("stage", 0))
    parameters = parameter_count(base)
    if config.lora is not None:
        need = WEIGHT * parameters // (ranks if stage == 3 else 1)
    else:
        need = bytes_per_rank(parameters, config.optimizer, stage, ranks)
    if need <= total:
        return
    what = "the frozen weights" if config.lora else f"weights, gradients and {config.optimizer} state"
    yield (
        f"train.deepspeed: {what} of {parameters / 1e9:.1f}B parameters take {need / GIB:.0f} GiB of each of {ranks} "
        f"GPU{'s' * (ranks > 1)} of {total / GIB:.0f} GiB under ZeRO-{stage}, activations not counted; what fits: "
        f"{', or '.join(_that_fit(config, parameters, total, ranks))}"
    )


def _that_fit(config: TrainSection, parameters: int, total: int, ranks: int) -> Iterator[str]:
    """Yield what would fit, by the least change."""
    if config.lora is None:
        for stage in (2, 3):
            if bytes_per_rank(parameters, config.optimizer, stage, ranks) <= total:
                yield f"train.deepspeed: zero{stage}"
    if WEIGHT * parameters <= total and config.lora is None:
        yield "adapters (train.lora: {})"
    per_rank = WEIGHT if config.lora else bytes_per_rank(1, config.optimizer, 3, 1)
    yield f"zero3 on {math.ceil(per_rank * parameters / total)} such GPUs or more"
    yield "a DeepSpeed file that offloads to the CPU"


def _offloads(optimization: Mapping[str, Any]) -> bool:
    return any(name.startswith("offload") or name == "cpu_offload" for name in optimization)

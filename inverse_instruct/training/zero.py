"""DeepSpeed configs: the built-in ZeRO stages and the user's own JSON.

Enters: what `train.deepspeed` says. Leaves: a config whose `auto` values the Trainer fills in. The same three stages
lie as JSON under `configs/deepspeed/` for users to copy and change; a test keeps them equal. They are code here so
that the names also work where only the package is installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError

BUILT_IN = {"zero1": 1, "zero2": 2, "zero3": 3}
NEEDED = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
    "zero_allow_untested_optimizer",
)
"""What training fails without, so a file need not say it; what else a file leaves out is as DeepSpeed has it."""


def zero_config(stage: int) -> dict[str, Any]:
    """Return the built-in config of a ZeRO stage (1: optimizer states, 2: gradients too, 3: weights too)."""
    optimization: dict[str, Any] = {"stage": stage}
    if stage == 3:
        optimization["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": "auto"},
        "data_types": {"grad_accum_dtype": "fp32"},  # bf16 sums drop the later of many micro batches
        "zero_allow_untested_optimizer": True,
        "zero_optimization": optimization,
    }


def load_deepspeed_config(name: str) -> dict[str, Any]:
    """Return the config that `train.deepspeed` names: a built-in stage, or a JSON file with what it cannot do without.

    Raises:
        ConfigError: it is neither, or the file would give an export without weights.
    """
    if name in BUILT_IN:
        return zero_config(BUILT_IN[name])
    try:
        config = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            [
                f"train.deepspeed: {name} is not one of {', '.join(BUILT_IN)} and cannot be read as a file "
                f"({error.strerror})"
            ]
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"train.deepspeed: {name} is not JSON: {error}"]) from error
    if not isinstance(config, dict):
        raise ConfigError([f"train.deepspeed: {name} holds no object; start from a file in configs/deepspeed"])
    optimization = config.get("zero_optimization", {})
    if not isinstance(optimization, dict) or optimization.get("stage", 0) not in (0, 1, 2, 3):
        raise ConfigError(
            [
                f"train.deepspeed: {name}: zero_optimization is no object with a stage from 0 to 3; start "
                "from a file in configs/deepspeed"
            ]
        )
    if optimization.get("stage") == 3 and not optimization.get("stage3_gather_16bit_weights_on_model_save"):
        raise ConfigError(
            [
                f'train.deepspeed: {name} needs "stage3_gather_16bit_weights_on_model_save": true under '
                "zero_optimization, or the trained weights cannot be exported"
            ]
        )
    return {name: value for name, value in zero_config(0).items() if name in NEEDED} | config


def ranks_decide(section: TrainSection) -> bool:
    """Tell whether the number of ranks decides the trained weights.

    DeepSpeed hands Adafactor flat shards from ZeRO-1 on, and its clipping then acts on each rank's shard alone.

    Raises:
        ConfigError: the DeepSpeed config cannot be read.
    """
    stage = load_deepspeed_config(section.deepspeed).get("zero_optimization", {}).get("stage", 0)
    return section.optimizer == "adafactor" and stage != 0

"""The model to train: weights from safetensors only, adapters if asked for, buffers in full precision.

Not guaranteed: custom models (`trust_remote_code`) whose buffers depend on more than their config.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from transformers import AutoModelForCausalLM
from transformers.integrations import is_deepspeed_zero3_enabled

from inverse_instruct.config.sections import LoraSection


def load_base(folder: Path, dtype: torch.dtype, *, trust_remote_code: bool) -> Any:
    """Load a model from its safetensors files; pickled weights are never read."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=trust_remote_code
    )
    if is_deepspeed_zero3_enabled() and dtype != torch.float32:
        _restore_buffers(model)
    return model


def add_adapters(model: Any, lora: LoraSection) -> Any:
    """Return the model with fresh low-rank adapters; only these are trained."""
    from peft import LoraConfig, get_peft_model

    with tied_embeddings_may_part():
        return get_peft_model(
            model,
            LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=list(lora.target_modules),
                task_type="CAUSAL_LM",
            ),
        )


@contextmanager
def tied_embeddings_may_part() -> Iterator[None]:
    """Silence peft where adapters change one of two tied layers: an export gives each weights of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings=True")
        yield


def _restore_buffers(model: Any) -> None:
    """Compute the buffers that no checkpoint holds anew.

    ZeRO-3 creates every tensor of a model in the weights' type. Rotary frequencies rounded to bf16 turn far positions
    by whole radians, and the engine that serves the model later does not round them.
    """
    with init_empty_weights(include_buffers=False):
        plain = type(model)(model.config)
    saved = model.state_dict()
    for name, buffer in plain.named_buffers():
        if name not in saved and buffer.is_floating_point():
            owner, _, own_name = name.rpartition(".")
            module = model.get_submodule(owner)
            module.register_buffer(own_name, buffer.to(getattr(module, own_name).device), persistent=False)

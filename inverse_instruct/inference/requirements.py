"""Whether an engine can be had here for a model, as far as files and counts tell; what vLLM would refuse in a minute.

Enters: the `inference` section and a model folder. Leaves: every problem, with its key and remedy. Not guaranteed: that
the weights fit into memory.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.model_files import attention_heads, cache_bytes_per_token, context_tokens
from inverse_instruct.system.machine import gpu_count

BATCHED_TOKENS_ON_CPU = 4096
"""Least number of tokens that the engine computes at once on CPUs."""


def machine_problems(section: InferenceSection) -> Iterator[str]:
    """Yield what this machine lacks for the engine, whatever the model."""
    if find_spec("vllm") is None:
        yield "inference: vLLM is not installed here; install this package with its extra `cpu` or `gpu`"
    gpus, copies = gpu_count(), section.data_parallel_size or 1
    wanted = section.tensor_parallel_size * copies
    if not gpus and not importlib.metadata.version("torch").endswith("+cpu"):
        yield (
            "inference: torch and vLLM are built for GPUs here, but none can be used; look at the driver "
            "(nvidia-smi), at what the container is given (--gpus all) and at CUDA_VISIBLE_DEVICES, or install the "
            "extra `cpu`"
        )
    elif wanted > max(1, gpus):
        have = f"{gpus} are here" if gpus else "none is here"
        yield (
            f"inference.tensor_parallel_size: {section.tensor_parallel_size} times data_parallel_size {copies} takes "
            f"{wanted} GPUs, but {have}; lower them"
        )


def model_problems(section: InferenceSection, config: Mapping[str, Any], max_model_len: int) -> Iterator[str]:
    """Yield where a model's `config.json` does not fit what is asked of the engine."""
    context = context_tokens(config)
    if context is not None and max_model_len > context:
        yield (
            f"model.max_model_len: {max_model_len} tokens are more than the {context} that the model is made for; "
            "lower it"
        )
    heads = attention_heads(config)
    if heads is not None and heads % section.tensor_parallel_size:
        yield (
            f"inference.tensor_parallel_size: {section.tensor_parallel_size} does not divide the model's {heads} "
            "attention heads; choose a number that does"
        )
    if gpu_count() == 0:
        yield from _problems_on_cpu(section, config, max_model_len)


def _problems_on_cpu(section: InferenceSection, config: Mapping[str, Any], max_model_len: int) -> Iterator[str]:
    per_token = cache_bytes_per_token(config, 4 if section.dtype in ("auto", "float32") else 2)
    if per_token is not None and per_token * max_model_len > section.cpu_kv_cache_gib * 2**30:
        yield (
            f"inference.cpu_kv_cache_gib: {section.cpu_kv_cache_gib} GiB do not hold one text of "
            f"model.max_model_len {max_model_len} tokens, which takes {per_token * max_model_len / 2**30:.1f} GiB; "
            "raise the one or lower the other"
        )
    if (section.max_num_seqs or 1) > (tokens := max(max_model_len, BATCHED_TOKENS_ON_CPU)):
        yield f"inference.max_num_seqs: {section.max_num_seqs} are more than {tokens}, the tokens of one step; lower it"

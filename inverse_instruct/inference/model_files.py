"""What the files of a model folder say of the model: whether they are whole, which architecture, how long a context.

Enters: a folder. Leaves: nothing, or a `ModelError` with the file and the remedy; figures of `config.json`. Of the
weights only headers are read. Not guaranteed: that an engine can load the model; it may be too large for the machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inverse_instruct.errors import ModelError

INDEX = "model.safetensors.index.json"
WELL_KNOWN = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "MixtralForCausalLM": "mixtral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen2MoeForCausalLM": "qwen2_moe",
    "Starcoder2ForCausalLM": "starcoder2",
    "GPTBigCodeForCausalLM": "gpt_bigcode",
    "PhiForCausalLM": "phi",
    "Phi3ForCausalLM": "phi3",
    "GemmaForCausalLM": "gemma",
    "Gemma2ForCausalLM": "gemma2",
    "GPT2LMHeadModel": "gpt2",
    "GPTNeoXForCausalLM": "gpt_neox",
    "DeepseekV2ForCausalLM": "deepseek_v2",
    "DeepseekV3ForCausalLM": "deepseek_v3",
}
"""Architecture -> model type; to ask transformers about others takes seconds."""
_CONTEXT_FIELDS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_SCALED_ALREADY = {"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"}


def check_weights(folder: Path) -> None:
    """See that all safetensors files are whole, and that those which the index names are there with their tensors.

    Raises:
        ModelError: one is not.
    """
    held = {path.name: _tensors(path) for path in sorted(folder.glob("*.safetensors"))}
    index = folder / INDEX
    if not index.is_file():
        return
    for tensor, name in _weight_map(index).items():
        if name not in held:
            raise ModelError(f"model folder {folder} lacks {name}, which {INDEX} names; get the file anew")
        if tensor not in held[name]:
            raise ModelError(f"{folder / name} does not hold {tensor}, as {INDEX} says; get both files anew")


def check_architecture(folder: Path, config: Mapping[str, Any], *, trust_remote_code: bool) -> None:
    """See that a model is a language model of a kind that can be loaded.

    Raises:
        ModelError: it is not, or brings code of its own that is not trusted.
    """
    named, kind = config.get("architectures") or [], config.get("model_type")
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named) or not (named or kind):
        raise ModelError(f"{folder / 'config.json'}: names no architecture (`architectures`); get the file anew")
    if any(WELL_KNOWN.get(name) == kind for name in named) or (not named and kind in WELL_KNOWN.values()):
        return
    if "AutoModelForCausalLM" in (config.get("auto_map") or {}):
        if not trust_remote_code:
            raise ModelError(f"{folder} brings Python code of its own; read it, then set model.trust_remote_code: true")
        return
    from inverse_instruct.inference.models import known_architectures

    kinds, architectures = known_architectures()
    if kind not in kinds or (named and not architectures.intersection(named)):
        name = ", ".join(named)[:80] or "the model"
        raise ModelError(
            f"{folder / 'config.json'}: {name} (model_type {str(kind)[:40]!r}) is no language model that "
            "transformers knows; give one that writes text, or a newer transformers"
        )


def context_tokens(config: Mapping[str, Any]) -> int | None:
    """Return the longest context that a model is made for, as vLLM takes it from `config.json`; None: any."""
    config = config.get("text_config") or config
    if isinstance(config.get("model_max_length"), int):
        return int(config["model_max_length"])
    lengths = [config[name] for name in _CONTEXT_FIELDS if isinstance(config.get(name), int)]
    factors = [
        rope["factor"]
        for rope in _rope_settings(config)
        if isinstance(rope.get("factor"), int | float)
        and rope.get("rope_type", rope.get("type")) not in _SCALED_ALREADY
    ]
    return int(min(lengths) * (factors[-1] if factors else 1)) if lengths else None


def attention_heads(config: Mapping[str, Any]) -> int | None:
    """Return the number of attention heads, or None if `config.json` does not say."""
    config = config.get("text_config") or config
    heads = config.get("num_attention_heads", config.get("n_head"))
    return heads if isinstance(heads, int) else None


def cache_bytes_per_token(config: Mapping[str, Any], bytes_per_number: int) -> int | None:
    """Return what the key-value cache takes for one token, or None where `config.json` says too little to tell."""
    config = config.get("text_config") or config
    if config.get("sliding_window") or config.get("layer_types") or config.get("kv_lora_rank"):
        return None
    heads, layers, width = (config.get(name) for name in ("num_attention_heads", "num_hidden_layers", "hidden_size"))
    if not (isinstance(heads, int) and isinstance(layers, int) and isinstance(width, int) and heads):
        return None
    of_keys = config.get("num_key_value_heads") or heads
    return 2 * layers * int(of_keys) * int(config.get("head_dim") or width // heads) * bytes_per_number


def read_header(path: Path) -> dict[str, Any]:
    """Return the tensors in a safetensors file: name -> dtype, shape, data_offsets."""
    with path.open("rb") as stream:
        header: dict[str, Any] = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    header.pop("__metadata__", None)
    return header


def parameter_count(folder: Path) -> int:
    """Return how many weights the files of a folder hold."""
    headers = (read_header(path) for path in folder.glob("*.safetensors"))
    return sum(math.prod(tensor["shape"]) for header in headers for tensor in header.values())


def layer_names(folder: Path) -> set[str]:
    """Return the names of a model's layers, such as `q_proj`."""
    names = (name.split(".") for path in folder.glob("*.safetensors") for name in _tensors(path))
    return {parts[-2] for parts in names if len(parts) > 1 and parts[-1] == "weight"}


def _tensors(path: Path) -> set[str]:
    """Return the names of the tensors in a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return set(file.keys())
    except (SafetensorError, OSError, ValueError) as error:  # a ValueError for a file of no bytes
        size = path.stat().st_size if path.is_file() else 0
        raise ModelError(
            f"{path} cannot be read ({error}; it has {size:,} bytes); put a whole copy of the file there"
        ) from error


def _weight_map(index: Path) -> dict[str, str]:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        if isinstance(found, dict) and all(isinstance(name, str) for name in found.values()):
            return found
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ModelError(f"{index} does not say which file holds which weights (`weight_map`); get the file anew")


def _rope_settings(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("rope_scaling", "rope_parameters"):
        settings = config.get(name)
        if isinstance(settings, dict):
            yield settings
            yield from (inner for inner in settings.values() if isinstance(inner, dict))

"""An export is the model that was trained: adapters on tied embeddings, and a comparison that finds what is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from inverse_instruct.config.sections import LoraSection
from inverse_instruct.errors import TrainingError
from inverse_instruct.training.fidelity import TOLERANCE, check_export
from inverse_instruct.training.load import add_adapters
from inverse_instruct.training.sequences import Sequences
from inverse_instruct.training.weights import merge_adapter

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out"),
]
IDS = torch.arange(24).reshape(2, 12)
SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,
}
MODELS = {
    "llama": lambda tied: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=tied)),
    "qwen": lambda tied: Qwen2ForCausalLM(Qwen2Config(**SMALL, num_key_value_heads=1, tie_word_embeddings=tied)),
    "gpt-2": lambda tied: GPT2LMHeadModel(
        GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2, initializer_range=0.2, tie_word_embeddings=tied)
    ),
}
TARGETS = [["lm_head"], ["embed_tokens"], ["embed_tokens", "lm_head"], ["q_proj", "lm_head"], ["q_proj", "v_proj"]]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(IDS).logits
    return found


def save_model(kind: str, folder: Path, *, tied: bool) -> Path:
    torch.manual_seed(0)
    MODELS[kind](tied).save_pretrained(folder)
    return folder


def trained(base: Any, targets: list[str]) -> Any:
    """Return a model with adapters that have learned something."""
    model = add_adapters(base, LoraSection(rank=4, alpha=8, target_modules=targets))
    for name, parameter in model.named_parameters():
        if "lora" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        *(("llama", targets) for targets in TARGETS),
        *(("qwen", targets) for targets in TARGETS),
        ("gpt-2", ["lm_head"]),
        ("gpt-2", ["wte"]),
        ("gpt-2", ["c_attn"]),
    ],
    ids=str,
)
def test_a_merged_adapter_is_the_trained_model(tmp_path: Path, kind: str, targets: list[str], tied: bool) -> None:
    base = save_model(kind, tmp_path / "base", tied=tied)
    model = trained(AutoModelForCausalLM.from_pretrained(base), targets)
    expected = logits(model)
    model.save_pretrained(tmp_path / "adapter")
    merge_adapter(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter").save_pretrained(tmp_path / "export")
    export = AutoModelForCausalLM.from_pretrained(tmp_path / "export")
    torch.testing.assert_close(logits(export), expected, rtol=1e-4, atol=1e-4)
    assert (expected - logits(AutoModelForCausalLM.from_pretrained(base))).abs().max() > 0.1, "something was learned"
    changes_head = bool({"lm_head", "embed_tokens", "wte"} & set(targets))
    assert export.config.tie_word_embeddings is (tied and not changes_head), "as small as it can be"


def trainer_of(ids: torch.Tensor) -> Any:
    """Return as much of a Trainer as the comparison looks at."""
    ends = np.cumsum([ids.shape[1]] * len(ids))
    sequences = Sequences(ids.flatten().numpy().astype(np.int32), ends, np.zeros(len(ids), np.int32), 0)
    return SimpleNamespace(sequences=sequences, args=SimpleNamespace(device=torch.device("cpu")))


def _one_weight(model: Any) -> None:
    model.model.layers[1].mlp.down_proj.weight.data[3] += 0.2


def _layer_left_out(model: Any) -> None:
    model.model.layers[0].self_attn.o_proj.weight.data.zero_()


def _not_a_number(model: Any) -> None:
    model.model.norm.weight.data[0] = float("nan")


def _other_head(model: Any) -> None:
    model.lm_head.weight.data = model.lm_head.weight.data.roll(1, 0)


@pytest.mark.parametrize("spoil", [_one_weight, _layer_left_out, _not_a_number, _other_head])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_another_model_is_not_published(tmp_path: Path, spoil: Any, dtype: torch.dtype) -> None:
    model = AutoModelForCausalLM.from_pretrained(save_model("llama", tmp_path / "base", tied=False), dtype=dtype)
    trainer = trainer_of(IDS)
    expected = logits(model).float().flatten(0, 1)
    model.save_pretrained(tmp_path / "export")
    assert check_export(tmp_path / "export", dtype, trainer, expected, trust_remote_code=False) <= TOLERANCE[dtype] / 10
    spoil(model)
    model.save_pretrained(tmp_path / "spoiled")
    with pytest.raises(TrainingError, match="the export differs from the trained model"):
        check_export(tmp_path / "spoiled", dtype, trainer, expected, trust_remote_code=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merging_is_within_the_tolerance(tmp_path: Path, dtype: torch.dtype) -> None:
    base = save_model("llama", tmp_path / "base", tied=True)
    model = trained(AutoModelForCausalLM.from_pretrained(base, dtype=dtype), ["q_proj", "o_proj", "lm_head"])
    expected = logits(model).float().flatten(0, 1)
    model.save_pretrained(tmp_path / "adapter")
    merged = merge_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=dtype), tmp_path / "adapter")
    merged.save_pretrained(tmp_path / "export")
    difference = check_export(tmp_path / "export", dtype, trainer_of(IDS), expected, trust_remote_code=False)
    assert difference < TOLERANCE[dtype] / 2


def test_a_vocabulary_of_another_size_is_told(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(save_model("llama", tmp_path / "base", tied=False))
    with pytest.raises(TrainingError, match="the export gives logits of shape"):
        expected = logits(model).flatten(0, 1)[:, :60]
        check_export(tmp_path / "base", torch.float32, trainer_of(IDS), expected, trust_remote_code=False)

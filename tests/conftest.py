"""What the tests share: real models, the fetched one and a tiny one with random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.inference.models import model_store

WITH_PROCESSES = (
    "commands",
    "dashboard",
    "docs",
    "faults",
    "gateway",
    "golden",
    "integration",
    "loop_service",
    "recipes",
    "training",
)
"""Folders whose tests start servers, trainers, browsers or whole runs."""

FIRST = ("tests/integration/", "tests/faults/", "tests/training/", "tests/gateway/", "tests/loop_service/")
"""Beginnings of the paths of tests that take long, the longest first."""


def place_of(path: str) -> int:
    """Return where a test file stands in the order of work."""
    return next((place for place, beginning in enumerate(FIRST) if path.startswith(beginning)), len(FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `unit` what needs no engine, no network and no training."""
    for item in items:
        others = any(item.get_closest_marker(name) for name in ("integration", "slow", "gpu"))
        if not others and item.path.relative_to(Path(__file__).parent).parts[0] not in WITH_PROCESSES:
            item.add_marker("unit")
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep real engines apart, and start what takes long first."""
    from tests.scheduling import make_scheduler

    return make_scheduler(config, log)


@pytest.fixture(scope="session")
def smollm() -> Path:
    """SmolLM2-135M-Instruct; `launch/test.sh` fetches it."""
    folder = model_store() / "smollm2-135m"
    if not (folder / "config.json").is_file():
        pytest.skip("run: inverse-instruct fetch-model smollm2-135m")
    return folder


@pytest.fixture(scope="session")
def tiny_model(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two small layers with random weights and SmolLM2's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(smollm / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def toy_model(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a few kB with tied embeddings; no engine runs them."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("toy")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(smollm / name, folder / name)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "tie_word_embeddings": True}))
    random = np.random.default_rng(0)
    tensors = {
        "model.embed_tokens.weight": random.standard_normal((16, 4), dtype=np.float32),
        "model.layers.0.mlp.down_proj.weight": random.standard_normal((4, 8), dtype=np.float32),
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder

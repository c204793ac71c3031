"""A config and all that it names, with nothing wrong: what tests of `check` break."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from inverse_instruct.errors import ConfigError
from inverse_instruct.inference import models
from inverse_instruct.loop.check import check_file

MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "num_key_value_heads": 2,
    "vocab_size": 49152,
    "max_position_embeddings": 2048,
}
TENSORS = ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight")
ROW = {"instruction": "Add.", "output": "```python\ndef add(a, b):\n    return a + b\n```"}


@pytest.fixture(scope="module")
def tokenizer(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(smollm / name, folder / name)
    return folder


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What transformers knows, without the seconds that it takes to ask."""
    kinds, architectures = frozenset({"llama", "bert"}), frozenset({"LlamaForCausalLM", "BertLMHeadModel"})
    monkeypatch.setattr(models, "known_architectures", lambda: (kinds, architectures))


@pytest.fixture
def world(tmp_path: Path, tokenizer: Path) -> dict[str, Any]:
    """A config and all that it names, in `tmp_path`; nothing is wrong with it."""
    shutil.copytree(tokenizer, tmp_path / "model")
    (tmp_path / "model/config.json").write_text(json.dumps(MODEL))
    save_file({name: np.zeros((2, 2), np.float32) for name in TENSORS}, tmp_path / "model/model.safetensors")
    (tmp_path / "corpus.jsonl").write_text(json.dumps(ROW) + "\n")
    (tmp_path / "bench.jsonl").write_text(json.dumps({"task_id": 1, "text": "Add.", "code": "x"}) + "\n")
    return {
        "name": "x",
        "model": {"base": "model", "start": "model", "max_model_len": 1024},
        "corpus": [{"path": "corpus.jsonl"}],
        "preprocess": {"benchmarks": ["bench.jsonl", "mini"]},
        "summarize": {"max_new_tokens": 64},
        "evaluate": {"suites": [{"suite": "mini", "max_new_tokens": 64}]},
    }


def problems_of(folder: Path, world: dict[str, Any]) -> list[str]:
    (folder / "run.yaml").write_text(yaml.safe_dump(world))
    try:
        check_file(folder / "run.yaml", [], folder / "run")
    except ConfigError as error:
        return list(error.problems)
    return []

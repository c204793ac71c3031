"""A tied checkpoint with its head written out: the same bytes, in every numeric type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inverse_instruct.inference.untied import discard_untied, untied_folder

EMBEDDINGS = "model.embed_tokens.weight"


def write_model(folder: Path, dtype: torch.dtype, shards: int, **config: bool) -> dict[str, torch.Tensor]:
    folder.mkdir()
    tensors = {name: torch.randn(6, 4).to(dtype) for name in (EMBEDDINGS, "model.norm.weight")}
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (folder / "tokenizer.json").write_text("{}")
    for number in range(shards):
        part = dict(list(tensors.items())[number::shards])
        save_file(part, folder / f"model-{number}.safetensors", {"format": "pt"})
    return tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("config", [{"tie_word_embeddings": True}, {}])
def test_the_head_is_the_embeddings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, shards: int, config: dict[str, bool]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tensors = write_model(tmp_path / "model", dtype, shards, **config)
    folder = untied_folder(tmp_path / "model", "digest")
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False
    weight_map = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    assert weight_map.keys() == tensors.keys() | {"lm_head.weight"}
    for name, file in weight_map.items():
        with safe_open(folder / file, framework="pt") as stored:
            expected = tensors[EMBEDDINGS if name == "lm_head.weight" else name]
            assert torch.equal(stored.get_tensor(name), expected) and stored.get_tensor(name).dtype == dtype
    assert (folder / "tokenizer.json").is_symlink()


def test_it_is_made_once_and_again_after_it_was_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_model(tmp_path / "model", torch.float32, 1, tie_word_embeddings=True)
    folder = untied_folder(tmp_path / "model", "digest")
    stamp = (folder / "lm_head.safetensors").stat().st_mtime_ns
    assert untied_folder(tmp_path / "model", "digest") == folder
    assert (folder / "lm_head.safetensors").stat().st_mtime_ns == stamp
    (tmp_path / "model").rename(tmp_path / "moved")  # its links lead nowhere now
    assert untied_folder(tmp_path / "moved", "digest") == folder
    assert (folder / "tokenizer.json").resolve() == tmp_path / "moved" / "tokenizer.json"
    discard_untied("digest")
    assert not folder.exists()


def test_an_untied_model_is_taken_as_it_is(tmp_path: Path) -> None:
    write_model(tmp_path / "model", torch.float32, 1, tie_word_embeddings=False)
    assert untied_folder(tmp_path / "model", "digest") == tmp_path / "model"

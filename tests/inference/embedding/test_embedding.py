"""Folders of sentence-transformers as functions from texts to vectors: poolings, layers after them, and bad folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.embedding.process import SentenceModel, embedding_digest

TEXTS = ["sort a list", "sort the list of numbers that is given", "x"]
TOKENS = 24


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two small layers with random weights, and a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"sort a list the of numbers that is given x".split()]
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", model_max_length=TOKENS
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=TOKENS,
        initializer_range=0.5,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def states(folder: Path, text: str) -> Any:
    """Return the last hidden states of one text, as transformers gives them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0].numpy()


def layout(encoder: Path, folder: Path, *modules: tuple[str, dict[str, Any]]) -> Path:
    """Write a folder of sentence-transformers around an encoder."""
    folder.mkdir()
    for path in encoder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    listed = [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}]
    for number, (kind, config) in enumerate(modules, 1):
        path = folder / f"{number}_{kind}"
        path.mkdir()
        (path / "config.json").write_text(json.dumps(config))
        listed.append({"idx": number, "path": path.name, "type": f"sentence_transformers.models.{kind}"})
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


def vectors(folder: Path, texts: list[str]) -> np.ndarray:
    """Return the vectors as the process computes them, but here: to start one takes seconds."""
    from inverse_instruct.inference.embedding.encoder import Encoder

    return Encoder(folder)(texts)


POOLINGS: dict[str, Callable[[Any], Any]] = {
    "pooling_mode_mean_tokens": lambda found: found.mean(axis=0),
    "pooling_mode_cls_token": lambda found: found[0],
    "pooling_mode_max_tokens": lambda found: found.max(axis=0),
    "pooling_mode_lasttoken": lambda found: found[-1],
    "pooling_mode_mean_sqrt_len_tokens": lambda found: found.sum(axis=0) / np.sqrt(len(found)),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_poolings_leave_out_what_only_fills_the_batch(encoder: Path, tmp_path: Path, name: str) -> None:
    folder = layout(encoder, tmp_path / "model", ("Pooling", {other: other == name for other in POOLINGS}))
    found = vectors(folder, TEXTS)
    expected = [POOLINGS[name](states(encoder, text)) for text in TEXTS]
    assert np.allclose(found, expected, atol=1e-5)


def test_two_poolings_a_dense_layer_and_normalizing(encoder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    names = ["pooling_mode_cls_token", "pooling_mode_mean_tokens"]
    dense = {"in_features": 32, "out_features": 4, "activation_function": "torch.nn.modules.activation.Tanh"}
    folder = layout(
        encoder, tmp_path / "model", ("Pooling", dict.fromkeys(names, True)), ("Dense", dense), ("Normalize", {})
    )
    weight, bias = torch.randn(4, 32), torch.randn(4)
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense" / "model.safetensors")
    pooled = [np.concatenate([POOLINGS[name](states(encoder, text)) for name in names]) for text in TEXTS]
    expected = np.tanh(np.array(pooled) @ weight.numpy().T + bias.numpy())
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(vectors(folder, TEXTS), expected, atol=1e-5)


def test_a_plain_encoder_gives_the_mean_of_length_one(encoder: Path) -> None:
    found = vectors(encoder, TEXTS * 40)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    mean = states(encoder, TEXTS[1]).mean(axis=0)
    assert np.allclose(found[1::3], mean / np.linalg.norm(mean), atol=1e-5)


def test_long_texts_are_cut(encoder: Path) -> None:
    found = vectors(encoder, ["list " * 500, "list " * (TOKENS - 2)])
    assert np.allclose(found[0], found[1], atol=1e-5)


def test_what_decides_the_vectors_is_in_the_digest(encoder: Path, tmp_path: Path) -> None:
    mean = layout(encoder, tmp_path / "mean", ("Pooling", {"pooling_mode_mean_tokens": True}))
    same = layout(encoder, tmp_path / "same", ("Pooling", {"pooling_mode_mean_tokens": True}))
    first = layout(encoder, tmp_path / "first", ("Pooling", {"pooling_mode_cls_token": True}))
    assert embedding_digest(mean) == embedding_digest(same) != embedding_digest(first)
    assert embedding_digest(mean) != embedding_digest(encoder)


def test_the_process_gives_the_same_and_names_a_folder_that_is_not_understood(encoder: Path, tmp_path: Path) -> None:
    strange = layout(encoder, tmp_path / "strange", ("WordWeights", {}))
    with SentenceModel(encoder) as model:
        assert np.allclose(model(TEXTS * 40), vectors(encoder, TEXTS * 40), atol=1e-5)
        model._folder = strange
        with pytest.raises(ModelError, match=f"{strange}.*WordWeights.*TF-IDF"):
            model(TEXTS)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([("WordWeights", {})], "WordWeights"),
        ([("Pooling", {"pooling_mode_weightedmean_tokens": True})], "weightedmean"),
        ([("Dense", {"activation_function": "torch.nn.SiLU"})], "model.safetensors"),
    ],
)
def test_a_folder_that_is_not_understood_is_named(
    encoder: Path, tmp_path: Path, modules: list[tuple[str, dict[str, Any]]], said: str
) -> None:
    folder = layout(encoder, tmp_path / "model", *modules)
    with pytest.raises((ValueError, OSError), match=said):
        vectors(folder, TEXTS)


@pytest.mark.parametrize("text", ["{", "[]", '[{"type": "a.Pooling", "path": ""}]', "[1]"])
def test_a_broken_list_of_modules_is_named(encoder: Path, tmp_path: Path, text: str) -> None:
    folder = layout(encoder, tmp_path / "model", ("Pooling", {}))
    (folder / "modules.json").write_text(text)
    if text == "[]":
        assert len(vectors(folder, TEXTS)) == 3, "as if it were not there"
        return
    with pytest.raises((ValueError, TypeError)):
        vectors(folder, TEXTS)


def test_modules_lie_within_the_folder(encoder: Path, tmp_path: Path) -> None:
    folder = layout(encoder, tmp_path / "model", ("Pooling", {}))
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["path"] = "../elsewhere"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match="not in the folder"):
        vectors(folder, TEXTS)

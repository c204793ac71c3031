"""Models that have a `tokenizer.model` and no `tokenizer.json`: spoken to as with both, or refused in clear words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import check_model_folder, load_tokenizer, model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.tokenization import sentencepiece_model
from tests.inference.tokenization.made_tokenizers import CORPUS, LLAMA2

CODE = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Llama 2 has it, without `tokenizer.json`."""
    folder = tmp_path_factory.mktemp("sentencepiece")
    lines = [line for text in CORPUS for line in text.splitlines() if line.strip()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    settings = {"tokenizer_class": "LlamaTokenizer", "chat_template": LLAMA2, "legacy": False} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 400}))
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "model")


def test_it_is_spoken_to_as_with_a_file_of_its_tokens(folder: Path, tmp_path: Path) -> None:
    check_model_folder(folder)
    both = shutil.copytree(folder, tmp_path / "both")
    tokenizer, as_it_stands = load_tokenizer(folder)
    tokenizer.backend_tokenizer.save(str(both / "tokenizer.json"))
    one, other = (PromptFormatter(place, "chat") for place in (folder, both))
    assert one.training_ids("Write a function.", CODE) == other.training_ids("Write a function.", CODE)
    assert one.single_token("Yes") == other.single_token("Yes") and not as_it_stands
    own = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert one.encode(CODE) == own.encode(CODE) and one.decode(own.encode(CODE)) == CODE


def test_the_file_is_part_of_what_the_model_is(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "tokenizer.model").write_bytes(b"\n" + (folder / "tokenizer.model").read_bytes())
    assert model_digest(folder) != model_digest(other)
    for place in (folder, other):
        (place / "tokenizer.json").write_text("{}")
    assert model_digest(folder) == model_digest(other), "where there are both, the other one alone is read"


@pytest.mark.parametrize(
    ("content", "words"), [(b"IQ== 0\nIg== 1\n", "is no model of SentencePiece"), (b"", "is no model of SentencePiece")]
)
def test_another_kind_of_file_is_refused(folder: Path, content: bytes, words: str) -> None:
    (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(ModelError, match=f"{words}; put a tokenizer.json beside it"):
        PromptFormatter(folder, "magicoder")


def test_one_that_becomes_another_tokenizer_is_refused(folder: Path) -> None:
    tree = json.loads((folder / "tokenizer_config.json").read_text()) | {"tokenizer_class": "GPT2Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(tree))
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 400}))
    with pytest.raises(ModelError, match="transformers makes .*; put a tokenizer.json beside it"):
        PromptFormatter(folder, "magicoder")


def test_without_the_library_it_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentencepiece", None)
    with pytest.raises(ModelError, match="sentencepiece, which is not here; install it"):
        sentencepiece_model.convert(folder, lambda: None)

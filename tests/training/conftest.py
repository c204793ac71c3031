"""A tiny random Llama with a byte-level tokenizer and a chat template, and rows to train it on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.records import TrainingRow, digest, to_dict
from inverse_instruct.store.rows import write_rows

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MakeRow = Callable[[str, str], dict[str, Any]]
WriteRows = Callable[..., Path]
WORDS = ["add", "number", "list", "string", "reverse", "sort", "count", "print", "file", "parse", "loop", "return"]


def save_tokenizer(folder: Path) -> int:
    """Write a byte-level tokenizer without merges; return the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return len(fast)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: two layers, hidden size 64, tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-model")
    vocabulary = save_tokenizer(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _row(instruction: str, response: str) -> dict[str, Any]:
    """Return one row as it lies on disk."""
    row = TrainingRow(
        id=digest(instruction, response),
        instruction=instruction,
        response=response,
        language="python",
        round=0,
        snippet_id="s",
        candidate_id="c",
        lm_score=0.5,
        row_id="r",
        source="test",
        line=1,
        model="m",
    )
    return to_dict(row)


@pytest.fixture(scope="session")
def make_row() -> MakeRow:
    """A function from instruction and response to a row as it lies on disk."""
    return _row


@pytest.fixture(scope="session")
def write_training_rows(tmp_path_factory: pytest.TempPathFactory) -> WriteRows:
    """A function that writes so many rows of very different lengths, and further given ones, into a file."""

    def write(count: int, *further: dict[str, Any], seed: int = 0) -> Path:
        dice = random.Random(seed)
        rows = [
            _row(
                " ".join(dice.choices(WORDS, k=dice.randint(1, 9))),
                " ".join(dice.choices(WORDS, k=dice.randint(1, 14))),
            )
            for _ in range(count)
        ]
        path = tmp_path_factory.mktemp("rows") / "rows.parquet"
        write_rows(path, [*rows, *further])
        return path

    return write

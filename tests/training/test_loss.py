"""The loss is that of the response alone, whatever the padding, the split, and the logits that are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.training.sequences import IGNORED, Sequences, build_sequences
from tests.training.conftest import MakeRow


@pytest.fixture(scope="module")
def sequences(tiny_model: Path, make_row: MakeRow) -> Sequences:
    rows = [make_row("add", "a + b"), make_row("reverse a list", "x[::-1]"), make_row("q", "print(1)\n" * 3)]
    return build_sequences(rows, PromptFormatter(tiny_model, "chat"), 256)[0]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model)


def losses(model: Any, sequences: Sequences, rows: list[int]) -> tuple[dict[str, Any], list[float]]:
    from inverse_instruct.training.loss import response_loss
    from inverse_instruct.training.trainer import collate

    batch = collate(sequences, np.array(rows, dtype=np.intp))
    return batch, [response_loss(model, batch, skip_prompt_logits=skip).item() for skip in (True, False)]


def test_it_equals_the_library_loss(model: Any, sequences: Sequences) -> None:
    batch, (skipping, full) = losses(model, sequences, [0, 1, 2])
    labeled = int((batch["labels"] != IGNORED).sum())
    expected = model(**batch).loss.item() * labeled
    assert skipping == pytest.approx(expected, rel=1e-6) and full == pytest.approx(expected, rel=1e-6)


def test_a_batch_is_the_sum_of_its_rows(model: Any, sequences: Sequences) -> None:
    apart = sum(losses(model, sequences, [row])[1][0] for row in range(3))
    assert losses(model, sequences, [2, 0, 1])[1][0] == pytest.approx(apart, rel=1e-6)


def test_labels_of_the_prompt_do_not_matter_and_the_end_of_response_does(model: Any, sequences: Sequences) -> None:
    from inverse_instruct.training.loss import response_loss
    from inverse_instruct.training.trainer import collate

    batch = collate(sequences, np.array([0]))
    before = response_loss(model, batch, skip_prompt_logits=False).item()
    prompt = int(sequences.prompt_lengths[0])
    assert (batch["labels"][0, :prompt] == IGNORED).all()
    batch["labels"][0, -1] = IGNORED
    assert response_loss(model, batch, skip_prompt_logits=False).item() < before


def test_a_batch_without_rows_has_no_loss_and_no_gradient(model: Any, sequences: Sequences) -> None:
    from inverse_instruct.training.loss import response_loss
    from inverse_instruct.training.trainer import collate

    model.zero_grad()
    loss = response_loss(model, collate(sequences, np.array([], dtype=np.intp)), skip_prompt_logits=True)
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("tokens", [0, 1, 7, 21])
def test_in_chunks_it_equals_the_plain_cross_entropy_and_so_does_its_gradient(
    monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    import torch
    from torch.nn import functional

    from inverse_instruct.training import loss

    monkeypatch.setattr(loss, "CHUNK_TOKENS", 7)
    torch.manual_seed(0)
    logits = (5 * torch.randn(tokens, 50)).requires_grad_()
    targets = torch.randint(0, 50, (tokens,))
    targets[::3] = IGNORED
    results = []
    for total in (
        loss.summed_cross_entropy(logits, targets),
        functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"),
    ):
        results.append((total.item(), *torch.autograd.grad(3 * total, logits)))
    (chunked, chunked_gradient), (plain, plain_gradient) = results
    assert chunked == pytest.approx(plain, rel=1e-6)
    torch.testing.assert_close(chunked_gradient, plain_gradient, rtol=1e-5, atol=1e-7)


def test_in_chunks_bf16_logits_are_summed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from inverse_instruct.training import loss

    monkeypatch.setattr(loss, "CHUNK_TOKENS", 8)
    torch.manual_seed(0)
    logits = (5 * torch.randn(4000, 50)).bfloat16()
    targets = torch.randint(0, 50, (4000,))
    expected = torch.nn.functional.cross_entropy(logits.double(), targets, reduction="sum").item()
    total = loss.summed_cross_entropy(logits.requires_grad_(), targets)
    assert total.dtype == torch.float32 and total.item() == pytest.approx(expected, rel=1e-6)
    assert torch.autograd.grad(total, logits)[0].dtype == torch.bfloat16


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Gemma3"])
def test_padding_behind_a_row_changes_nothing_although_there_is_no_mask(sequences: Sequences, family: str) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    name = f"{family}TextConfig" if family == "Gemma3" else f"{family}Config"
    config = getattr(transformers, name)(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        sliding_window=8,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config).train()
    batch, (together, _) = losses(model, sequences, [0, 1, 2])
    assert (sequences.lengths[:3] < batch["labels"].shape[1]).sum() == 2, "two of the three are padded"
    mask = torch.arange(batch["labels"].shape[1]) < torch.from_numpy(sequences.lengths[:3])[:, None]
    masked = model(**batch, attention_mask=mask.long()).loss.item() * int((batch["labels"] != IGNORED).sum())
    apart = sum(losses(model, sequences, [row])[1][0] for row in range(3))
    assert together == pytest.approx(masked, rel=1e-6) and together == pytest.approx(apart, rel=1e-6)

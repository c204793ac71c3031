"""The loss is that of the response alone, whatever the padding, the split, and the logits that are left out."""

from __future__ import annotations

import numpy as np
import pytest

from inverse_instruct.prompts import PromptFormatter
from inverse_instruct.training.sequences import IGNORED, build_sequences


@pytest.fixture(scope="module")
def sequences(tiny_model, make_row):
    rows = [make_row("add", "a + b"), make_row("reverse a list", "x[::-1]"), make_row("q", "print(1)\n" * 3)]
    return build_sequences(rows, PromptFormatter(tiny_model, "chat"), 256)[0]


@pytest.fixture(scope="module")
def model(tiny_model):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model)


def losses(model, sequences, rows):
    from inverse_instruct.training.trainer import collate, response_loss

    batch = collate(sequences, np.array(rows, dtype=np.intp))
    return batch, [response_loss(model, batch, skip_prompt_logits=skip).item() for skip in (True, False)]


def test_it_equals_the_library_loss(model, sequences):
    batch, (skipping, full) = losses(model, sequences, [0, 1, 2])
    labeled = int((batch["labels"] != IGNORED).sum())
    expected = model(**batch).loss.item() * labeled
    assert skipping == pytest.approx(expected, rel=1e-6) and full == pytest.approx(expected, rel=1e-6)


def test_a_batch_is_the_sum_of_its_rows(model, sequences):
    apart = sum(losses(model, sequences, [row])[1][0] for row in range(3))
    assert losses(model, sequences, [2, 0, 1])[1][0] == pytest.approx(apart, rel=1e-6)


def test_labels_of_the_prompt_do_not_matter_and_the_end_of_response_does(model, sequences):
    from inverse_instruct.training.trainer import collate, response_loss

    batch = collate(sequences, np.array([0]))
    before = response_loss(model, batch, skip_prompt_logits=False).item()
    prompt = int(sequences.prompt_lengths[0])
    assert (batch["labels"][0, :prompt] == IGNORED).all()
    batch["labels"][0, -1] = IGNORED
    assert response_loss(model, batch, skip_prompt_logits=False).item() < before


def test_a_batch_without_rows_has_no_loss_and_no_gradient(model, sequences):
    from inverse_instruct.training.trainer import collate, response_loss

    model.zero_grad()
    loss = response_loss(model, collate(sequences, np.array([], dtype=np.intp)), skip_prompt_logits=True)
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())

"""The loss of a batch: the negative log-likelihood of its response tokens, without float32 copies of all logits.

Enters: a causal language model and a batch padded at the end. Leaves: a sum in nats that carries gradients. Of the
logits behind the first response token there is one copy, in the model's type, and one more for their gradient; what is
computed in float32 is in memory for `CHUNK_TOKENS` at a time. Not guaranteed: gradients of the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from inverse_instruct.training.sequences import IGNORED

Batch = dict[str, torch.Tensor]
CHUNK_TOKENS = 1024  # with a vocabulary of 152k, 0.6 GB for each float32 copy


def response_loss(model: Any, batch: Batch, *, skip_prompt_logits: bool) -> torch.Tensor:
    """Return the negative log-likelihood in nats, summed over the labeled tokens of a batch.

    Args:
        model: maps token ids to logits [rows, tokens, vocabulary]; no token sees those behind it, so none sees padding.
        batch: as `collate` makes it.
        skip_prompt_logits: whether the model can leave out the logits ahead of the first response (`logits_to_keep`).
    """
    labels = batch["labels"]
    labeled_columns = (labels != IGNORED).any(dim=0).nonzero()
    first = int(labeled_columns[0]) if len(labeled_columns) else labels.shape[1] - 1
    keep = labels.shape[1] - first + 1  # the logits before a token predict it
    options = {"logits_to_keep": keep} if skip_prompt_logits else {}
    logits = model(input_ids=batch["input_ids"], use_cache=False, **options).logits[:, -keep:]
    targets = functional.pad(labels[:, first:], (0, 1), value=IGNORED)  # nothing follows the last token
    return summed_cross_entropy(logits.flatten(0, 1), targets.flatten())


def summed_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return what `cross_entropy(logits.float(), targets, reduction="sum")` does, in a fraction of its memory.

    Args:
        logits: [tokens, vocabulary], in any floating-point type.
        targets: [tokens]; `IGNORED` where nothing is to be predicted.
    """
    loss: torch.Tensor = _SummedCrossEntropy.apply(logits, targets)
    return loss


class _SummedCrossEntropy(torch.autograd.Function):
    """Goes through the tokens twice, chunk by chunk: for the loss, and for its gradient by the logits."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Sum the chunks' losses."""
        ctx.save_for_backward(logits, targets)
        return torch.stack([_plain(*chunk) for chunk in _chunks(logits, targets)]).sum()

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Compute each chunk's loss again, and the gradient of that."""
        logits, targets = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for part, logits_part, targets_part in _chunks(gradient, logits, targets):
            part.copy_(_gradient(logits_part, targets_part, upstream))
        return gradient, None


def _plain(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum")


def _gradient(logits: torch.Tensor, targets: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    logits = logits.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(_plain(logits, targets), logits, upstream)[0]


def _chunks(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    return zip(*(tensor.split(CHUNK_TOKENS) for tensor in tensors), strict=True)

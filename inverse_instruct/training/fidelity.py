"""Whether an export is the model that was trained: their logits on one batch.

Enters: a Trainer after training, then the folder that it was exported to. Leaves: nothing, or a `TrainingError`. The
model is asked as it was trained: with its adapters, in all of its parts. Not guaranteed: that a difference of the size
of the rounding in bf16 is seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from accelerate import cpu_offload

from inverse_instruct.errors import TrainingError
from inverse_instruct.training.load import load_base
from inverse_instruct.training.trainer import ResponseTrainer, collate

ROWS = 2
TOKENS = 64  # of each row
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}  # of the size of the logits; merging rounds in bf16


def logits_of_trained(trainer: ResponseTrainer) -> torch.Tensor:
    """Return the logits of the first rows, as [tokens, vocabulary] in float32; all ranks take part."""
    model = trainer.deepspeed
    was_training = model.training
    model.eval()
    found = _logits(model, _batch(trainer), trainer.args.device)
    model.train(was_training)
    return found


def check_export(
    folder: Path, dtype: torch.dtype, trainer: ResponseTrainer, expected: torch.Tensor, *, trust_remote_code: bool
) -> float:
    """Compare an export with what the trained model said; return the difference as a share of the size of the logits.

    Raises:
        TrainingError: it is larger than `TOLERANCE`.
    """
    model = load_base(folder, dtype, trust_remote_code=trust_remote_code).eval()
    device = trainer.args.device
    if device.type != "cpu":
        cpu_offload(model, execution_device=device)  # layer by layer, as the trained model still fills the device
    found = _logits(model, _batch(trainer), device)
    if found.shape != expected.shape:
        raise TrainingError(
            f"the export gives logits of shape {tuple(found.shape)}, the trained model {tuple(expected.shape)}"
        )
    difference = float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt().clamp_min(1e-9))
    if not difference <= TOLERANCE[dtype]:
        raise TrainingError(
            f"the export differs from the trained model: by {difference:.2g} of the size of the logits "
            f"on {len(expected)} tokens, where {TOLERANCE[dtype]:g} is rounding"
        )
    return difference


def _batch(trainer: ResponseTrainer) -> torch.Tensor:
    """Return the beginnings of the first rows as [rows, tokens], none of them padded."""
    rows = np.arange(min(ROWS, len(trainer.sequences)))
    width = min(TOKENS, int(trainer.sequences.lengths[rows].min()))
    return collate(trainer.sequences, rows)["input_ids"][:, :width]


def _logits(model: torch.nn.Module, batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=batch.to(device), use_cache=False).logits
    return logits.float().flatten(0, 1).cpu()

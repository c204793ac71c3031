"""The HF Trainer with our batches and our loss, and what is written down at every step.

Enters: a model, `Sequences` and a `BatchPlan`. Leaves: a trained model, one loss line per optimizer step and marked
step checkpoints. The loss of a step is the mean negative log-likelihood per response token over the global batch, so
it does not depend on how many ranks and micro batches share the work (up to floating-point order).
"""

from __future__ import annotations

import inspect
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from inverse_instruct.errors import TrainingError
from inverse_instruct.training.batches import BatchPlan, Rows
from inverse_instruct.training.loss import Batch, response_loss
from inverse_instruct.training.sequences import IGNORED, Sequences
from inverse_instruct.training.step_checkpoints import mark_complete

Strips = dict[str, list[Batch]]


def collate(sequences: Sequences, rows: Rows) -> Batch:
    """Return sequences padded at the end to the longest, as [rows, tokens]; no rows give a batch without loss.

    There is no attention mask: in a causal model no token sees the padding behind it, and flash attention takes none.
    """
    if len(rows) == 0:
        return {"input_ids": torch.zeros(1, 2, dtype=torch.long), "labels": torch.full((1, 2), IGNORED)}
    shape = (len(rows), int(sequences.lengths[rows].max()))
    batch = {"input_ids": torch.zeros(shape, dtype=torch.long), "labels": torch.full(shape, IGNORED)}
    for place, row in enumerate(rows.tolist()):
        tokens = torch.from_numpy(sequences.tokens(row))
        batch["input_ids"][place, : len(tokens)] = tokens
        batch["labels"][place, : len(tokens)] = torch.from_numpy(sequences.labels(row))
    return batch


class ResponseTrainer(Trainer):
    """Trains on the batches of a plan; a step's rows depend on the step number alone, so resuming replays nothing."""

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        sequences: Sequences,
        plan: BatchPlan,
        callbacks: list[TrainerCallback],
    ) -> None:
        """Take the model, which the caller has loaded, and the plan, whose steps `args.max_steps` must equal."""
        super().__init__(model=model, args=args, callbacks=callbacks)
        self.loss_is_scaled_for_ga = True
        self.sequences = sequences
        self.plan = plan
        bare = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._skip_prompt_logits = "logits_to_keep" in inspect.signature(bare.forward).parameters

    def get_train_dataloader(self) -> range:
        """Return something of the right length; `get_batch_samples` makes the batches."""
        return range(self.plan.steps * self.plan.accumulation_steps)

    def get_batch_samples(
        self, epoch_iterator: Iterator[int], num_batches: int, device: torch.device
    ) -> tuple[list[Strips], int]:
        """Return this rank's micro batches of the current step and the labeled tokens of the whole global batch."""
        step = self.state.global_step
        micro_batches = self.plan.micro_batches(step, self.args.process_index)
        labeled = int(self.sequences.response_lengths[self.plan.rows(step)].sum())
        return [{"strips": [collate(self.sequences, rows) for rows in strips]} for strips in micro_batches], labeled

    def compute_loss(
        self,
        model: Any,
        inputs: Strips,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return this micro batch's share of the global mean, times the ranks, as DeepSpeed averages over them."""
        assert num_items_in_batch is not None
        total = sum(
            response_loss(model, strip, skip_prompt_logits=self._skip_prompt_logits) for strip in inputs["strips"]
        )
        assert isinstance(total, torch.Tensor)
        return total * self.args.world_size / num_items_in_batch

    def floating_point_ops(self, inputs: Strips) -> int:
        """Count none: what is written down at every step has the tokens."""
        return 0

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights, except inside a step checkpoint, where DeepSpeed's own files hold them already."""
        if not _internal_call:
            super().save_model(output_dir)


class _StepCallback(TrainerCallback):
    """Is told the numbers of each step, and of nothing else that the trainer logs."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Pass the numbers of a step on."""
        if logs and "loss" in logs:
            self.on_step(state, logs)

    def on_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        """Take the numbers of a step."""
        raise NotImplementedError


class StepRecorder(_StepCallback):
    """Writes the loss line of each step, and saves and marks step checkpoints."""

    def __init__(
        self, losses: Path, sequences: Sequences, plan: BatchPlan, save_steps: int, save_minutes: float | None = None
    ) -> None:
        """Append to `losses`, which ends at the step that training goes on from; minutes, if given, replace steps."""
        self._losses = losses
        self._sequences = sequences
        self._plan = plan
        self._save_steps, self._save_minutes = save_steps, save_minutes
        self._saved = time.monotonic()
        self._started = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock of a step."""
        self._started = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a checkpoint when it is time; after the last step the export follows, and none is needed."""
        control.should_save = state.global_step < self._plan.steps and self._is_due(args, state)
        return control

    def _is_due(self, args: TrainingArguments, state: TrainerState) -> bool:
        if self._save_minutes is None:
            return int(state.global_step) % self._save_steps == 0
        due = torch.tensor(int(time.monotonic() - self._saved >= 60 * self._save_minutes), device=args.device)
        torch.distributed.broadcast(due, 0)  # clocks differ, and all ranks must save or none
        return bool(due.item())

    def on_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        """Append the line of a step: loss in nats per response token, seconds of this step alone."""
        if not math.isfinite(logs["loss"]):
            raise TrainingError(f"the loss is {logs['loss']} at step {state.global_step}")
        if state.is_world_process_zero:
            rows = self._plan.rows(state.global_step - 1)
            line = {
                "step": state.global_step,
                "loss": logs["loss"],
                "grad_norm": logs.get("grad_norm"),
                "lr": logs["learning_rate"],
                "tokens": int(self._sequences.lengths[rows].sum()),
                "response_tokens": int(self._sequences.response_lengths[rows].sum()),
                "seconds": round(time.monotonic() - self._started, 4),
            }
            with self._losses.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Mark the checkpoint as whole once every rank has written its part."""
        torch.distributed.barrier()
        if state.is_world_process_zero:
            mark_complete(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", args.world_size, self._losses)
        torch.distributed.barrier()
        self._saved = time.monotonic()


class TensorBoardRecorder(_StepCallback):
    """Writes loss, gradient norm and learning rate for TensorBoard; points behind the resumed step are purged."""

    def __init__(self, folder: Path) -> None:
        """Write event files into `folder`."""
        self._folder = folder
        self._writer: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the event file on the first rank."""
        if state.is_world_process_zero:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        """Add the points of a step."""
        if self._writer is not None:
            for name in ("loss", "grad_norm", "learning_rate"):
                if logs.get(name) is not None:
                    self._writer.add_scalar(f"train/{name}", logs[name], state.global_step)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Flush the event file."""
        if self._writer is not None:
            self._writer.close()

"""Fine-tune through our trainer and through TRL's SFTTrainer, padded and packed, on the same rows.

Enters: a model folder, and files of code, whose functions are the responses. Leaves, on standard output, for each:
response tokens a second, the first step left out, as a ratio of ours; and the loss of each step. Ours and the padded
one of TRL see the same rows at each step, with AdamW and one schedule, so their losses are equal but for rounding: exit
code 1 if they are not. Packed, TRL sees all rows once as well, but in other steps, so its losses are another curve.
TRL is no dependency: install it, without its dependencies, into a folder of its own, which PYTHONPATH names.

    pip install --target TRL --no-deps trl
    PYTHONPATH=TRL python -m tests.throughput.against_trl MODEL FILES... --rows 512 --steps 16

Not guaranteed: figures that mean anything beside other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.records import TrainingRow, to_dict
from inverse_instruct.stages.train import PhaseRun
from inverse_instruct.store.losses import read_losses
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.seeds import phase_seed
from inverse_instruct.training.batches import BatchPlan, warmup_steps
from inverse_instruct.training.sequences import Sequences, build_sequences
from tests.playing import train_on
from tests.throughput.orchestrator import functions

LEARNING_RATE = 2e-5
PROMPT_FORMAT = "magicoder"
SAME = 2e-3  # nats; sums in another order move the weights, and these the next losses
WAYS = ("padded", "packed")


@dataclass
class Measured:
    """Steps of a training."""

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    response_tokens: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Response tokens a second without the first step, which makes the optimizer's state."""
        return sum(self.response_tokens[1:]) / sum(self.seconds[1:])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--micro-batch-size", type=int, default=4)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--trl", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--sequences", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trl:
        print(json.dumps(vars(with_trl(arguments, Sequences.load(arguments.sequences)))))
        return 0
    if arguments.rows % (arguments.steps * arguments.micro_batch_size):
        parser.error("--rows must be a multiple of --steps times --micro-batch-size, so that all steps are alike")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = rows_of(arguments.files, arguments.rows)
        sequences, rejected = build_sequences(
            [to_dict(row) for row in rows], PromptFormatter(arguments.model, PROMPT_FORMAT), arguments.max_length
        )
        if len(sequences) < arguments.rows:
            parser.error(f"the files hold {len(rows)} functions, and {len(rejected)} of them cannot be trained on")
        sequences.save(folder / "sequences.npz")
        found = {"ours": ours(arguments, rows, folder)}
        for way in WAYS:
            found[f"TRL, {way}"] = apart(way, folder / "sequences.npz")
    for who, measured in found.items():
        losses = " ".join(f"{loss:.4f}" for loss in measured.losses)
        ratio = measured.rate / found["ours"].rate
        print(f"{who}: {measured.rate:.1f} response tokens/s ({ratio:.3f} of ours); losses {losses}")
    apart_by = np.abs(np.subtract(found["ours"].losses, found["TRL, padded"].losses))
    print(f"losses of ours and TRL, padded: {apart_by[0]:.5f} apart at the first step, {apart_by.max():.5f} at most")
    return int(max(apart_by) > SAME)


def rows_of(files: Sequence[Path], count: int) -> list[TrainingRow]:
    """Return so many rows of the functions in some files."""
    return [
        TrainingRow(
            id=str(number),
            instruction=f"Write function {number}.",
            response=snippet.code,
            language=snippet.language,
            round=0,
            snippet_id=snippet.id,
            candidate_id="",
            lm_score=None,
            row_id="",
            source=snippet.source,
            line=snippet.line,
            model="",
        )
        for number, snippet in enumerate(islice(functions(files), count))
    ]


def plan_of(arguments: argparse.Namespace, sequences: Sequences) -> BatchPlan:
    """Return which rows are trained on at which step."""
    return BatchPlan(
        sequences.lengths,
        global_batch_size=arguments.rows // arguments.steps,
        micro_batch_size=arguments.micro_batch_size,
        ranks=1,
        epochs=1,
        seed=phase_seed(0, 0),  # of the stage's first phase
    )


def ours(arguments: argparse.Namespace, rows: Sequence[TrainingRow], folder: Path) -> Measured:
    """Train as a run does, by the stage and its worker."""
    write_rows(folder / "rows.parquet", map(to_dict, rows))
    train = {
        "phases": [{"data": "original", "epochs": 1}],
        "optimizer": "adamw",
        "learning_rate": LEARNING_RATE,
        "global_batch_size": arguments.rows // arguments.steps,
        "micro_batch_size": arguments.micro_batch_size,
        "max_length": arguments.max_length,
        "dtype": "float32",
        "processes": 1,
    }
    model = {"base": str(arguments.model), "prompt_format": PROMPT_FORMAT}
    phase = PhaseRun("original", [folder / "rows.parquet"], 1, LEARNING_RATE)
    train_on(arguments.model, [phase], folder / "ours", train=train, model=model)
    [path] = (folder / "ours").rglob("loss.jsonl")
    lines = read_losses(path)
    return Measured(
        losses=[line["loss"] for line in lines],
        seconds=[line["seconds"] for line in lines],
        response_tokens=[int(line["response_tokens"]) for line in lines],
    )


def apart(way: str, sequences: Path) -> Measured:
    """Train with TRL in a process of its own."""
    command = [sys.executable, "-m", "tests.throughput.against_trl", *sys.argv[1:]]
    printed = subprocess.run(
        [*command, "--trl", way, "--sequences", str(sequences)],
        env=os.environ | {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return Measured(**json.loads(printed.splitlines()[-1]))


def with_trl(arguments: argparse.Namespace, sequences: Sequences) -> Measured:
    """Train with TRL as its documentation says, on the rows of our steps."""
    import torch
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    measured = Measured()

    class TimedTrainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> SequentialSampler:
            return SequentialSampler(self.train_dataset)

        def training_step(self, model: Any, inputs: dict[str, Any], *more: Any) -> Any:
            if len(measured.seconds) == self.state.global_step:  # the first micro batch of a step
                measured.seconds.append(-time.monotonic())
                measured.response_tokens.append(0)
            measured.response_tokens[-1] += int((inputs["labels"] != -100).sum())
            return super().training_step(model, inputs, *more)

        def log(self, logs: dict[str, float], *more: Any) -> None:
            if "loss" in logs:
                measured.seconds[-1] += time.monotonic()
                measured.losses.append(logs["loss"])
            super().log(logs, *more)

    plan = plan_of(arguments, sequences)
    shuffle = np.random.default_rng(0).permutation  # within a step, as SFTTrainer does not sort by length
    order = [int(row) for step in range(plan.steps) for row in shuffle(plan.rows(step))]
    data = Dataset.from_list(
        [{"input_ids": sequences.tokens(row).tolist(), "labels": sequences.labels(row).tolist()} for row in order]
    )
    packed = arguments.trl == "packed"
    micro_batch = 1 if packed else arguments.micro_batch_size
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=packs_of_step(sequences, arguments) if packed else plan.accumulation_steps,
            packing=packed,
            packing_strategy="bfd",
            max_length=arguments.max_length,
            optim="adamw_torch",
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="linear",
            warmup_steps=warmup_steps(15, plan.steps),
            weight_decay=0.0,
            max_grad_norm=0.0,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=not torch.cuda.is_available(),
            seed=0,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(arguments.model)
        TimedTrainer(model, config, train_dataset=data, processing_class=tokenizer).train()
    return measured


def packs_of_step(sequences: Sequences, arguments: argparse.Namespace) -> int:
    """Return how many packed sequences make a step of about as many tokens."""
    packs: float = sequences.lengths.sum() / arguments.max_length / arguments.steps
    return max(1, round(packs))


if __name__ == "__main__":
    sys.exit(main())

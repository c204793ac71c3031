"""One rank of a training phase: `python -m inverse_instruct.training.worker JOB`, usually under DeepSpeed's launcher.

Enters: a job file; rank and world size come from the environment. Leaves, in the phase's folder: loss lines, step
checkpoints, the export, and last of all the marker `done.json`. The exit code is not the verdict: the marker is.
"""

from __future__ import annotations

import fcntl
import os
import sys
from datetime import timedelta
from pathlib import Path

import deepspeed
import torch
from transformers import TrainingArguments, set_seed

from inverse_instruct.store.files import file_digest, write_json
from inverse_instruct.system.machine import cpu_does_bfloat16
from inverse_instruct.training.batches import BatchPlan, warmup_steps
from inverse_instruct.training.job import Job
from inverse_instruct.training.launch import take_rank_of_slurm
from inverse_instruct.training.load import add_adapters, load_base
from inverse_instruct.training.sequences import Sequences
from inverse_instruct.training.trainer import ResponseTrainer, StepRecorder, TensorBoardRecorder
from inverse_instruct.training.weights import export
from inverse_instruct.training.zero import load_deepspeed_config

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
WAIT_FOR_RANKS = timedelta(hours=1)  # a step checkpoint of a large model is hashed by one rank meanwhile
OPTIMIZERS = {"adafactor": "adafactor", "adamw": "adamw_torch"}  # the Trainer's Adafactor has fixed learning rates


def training_dtype(wanted: str) -> torch.dtype:
    """Return the type to train in; `auto` is bf16 only where the hardware multiplies it fast."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = cpu_does_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def training_arguments(job: Job, plan: BatchPlan, dtype: torch.dtype) -> TrainingArguments:
    """Return the Trainer's settings; making them also tells transformers about ZeRO-3, so do it before loading."""
    settings = job.settings
    on_cpu = not torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(job.phase.steps),
        max_steps=plan.steps,
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=plan.accumulation_steps,
        optim="adamw_torch_fused" if settings.optimizer == "adamw" and not on_cpu else OPTIMIZERS[settings.optimizer],
        learning_rate=job.learning_rate,
        lr_scheduler_type=SCHEDULES[settings.schedule],
        warmup_steps=warmup_steps(settings.warmup_steps, plan.steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        gradient_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        bf16=dtype == torch.bfloat16,
        seed=job.seed,
        deepspeed=load_deepspeed_config(settings.deepspeed),
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu else "nccl",
        save_strategy="no",  # StepRecorder decides
        ignore_data_skip=True,  # a step's batch follows from its number
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def run(job: Job) -> None:
    """Train, export, and mark the phase as done."""
    set_seed(job.seed)
    _init_distributed()
    sequences = Sequences.load(job.phase.sequences)
    settings = job.settings
    plan = BatchPlan(
        sequences.lengths,
        global_batch_size=settings.global_batch_size,
        micro_batch_size=settings.micro_batch_size,
        micro_batch_tokens=settings.micro_batch_tokens,
        ranks=torch.distributed.get_world_size(),
        epochs=job.epochs,
        seed=job.seed,
    )
    dtype = training_dtype(settings.dtype)
    arguments = training_arguments(job, plan, dtype)
    recorder = StepRecorder(job.phase.losses, sequences, plan, settings.save_steps, settings.save_minutes)
    model = load_base(job.base, dtype, trust_remote_code=job.trust_remote_code)
    if settings.lora is not None:
        model = add_adapters(model, settings.lora)
    trainer = ResponseTrainer(model, arguments, sequences, plan, [recorder, TensorBoardRecorder(job.tensorboard)])
    trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
    peak = _peak_memory_bytes()
    difference = export(trainer, job, dtype)
    if trainer.is_world_process_zero():
        files = [*sorted(job.phase.export.iterdir()), job.phase.losses, job.phase.rejections]
        write_json(
            job.phase.done,
            {
                "steps": plan.steps,
                "ranks": plan.ranks,
                "dtype": str(dtype),
                "peak_memory_bytes": peak,
                "export_difference": difference,
                "files": {str(path.relative_to(job.folder)): file_digest(path) for path in files},
            },
        )
    torch.distributed.barrier()


def _init_distributed() -> None:
    """Join the other ranks; ZeRO-3 needs this before any model is loaded."""
    # The shared-memory operator would be compiled here and leaves segments behind when killed; gloo does without it.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    deepspeed.init_distributed(dist_backend=backend, timeout=WAIT_FOR_RANKS)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # or each rank would also take memory of the first GPU


def _peak_memory_bytes() -> int | None:
    """Return the most that tensors took on a GPU at once, on the rank that needed most; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    peak = torch.tensor(torch.cuda.max_memory_allocated(), device="cuda")
    torch.distributed.all_reduce(peak, torch.distributed.ReduceOp.MAX)
    return int(peak)


def main() -> None:
    """Run the job of the command line, holding the training folder's lock."""
    job = Job.read(Path(sys.argv[1]))
    take_rank_of_slurm()
    with job.lock.open("a+") as lock:  # NFSv4 wants to read what it shares
        fcntl.flock(lock, fcntl.LOCK_SH)
        run(job)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # everything is on disk; the libraries' teardown costs seconds and sometimes aborts


if __name__ == "__main__":
    main()

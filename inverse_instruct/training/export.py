"""The trained weights as a plain model folder: safetensors, config, tokenizer, chat template, generation config.

Enters: a Trainer after training. Leaves: a folder that appears whole, by a rename. Adapters are merged into the base
model. Tokenizer files are copied byte for byte; what is new in them is only that they name the end of a response.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from inverse_instruct.stop_tokens import name_end
from inverse_instruct.training.job import Job
from inverse_instruct.training.load import load_base
from inverse_instruct.training.trainer import ResponseTrainer

COPIED = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*",
    "generation_config.json", "LICENSE*", "*.py",
)


def export(trainer: ResponseTrainer, job: Job, dtype: torch.dtype) -> None:
    """Write the export of a phase; all ranks take part, as they may hold parts of the weights."""
    first = trainer.is_world_process_zero()
    adapter = job.folder / "adapter"
    temporary = job.folder / "export.tmp"
    if first:
        for leftover in (temporary, job.phase.export, adapter):
            shutil.rmtree(leftover, ignore_errors=True)
    torch.distributed.barrier()
    if job.settings.lora:
        trainer.save_model(str(adapter))
    else:
        _save_weights(trainer, temporary)
    torch.distributed.barrier()
    if not first:
        return
    if job.settings.lora:
        _merge(adapter, temporary, job, dtype)
    _copy_tokenizer(job.base, temporary)
    name_end(temporary, job.ending)
    temporary.rename(job.phase.export)


def _save_weights(trainer: ResponseTrainer, target: Path) -> None:
    weights = trainer.accelerator.get_state_dict(trainer.deepspeed)  # all ranks; whole on the first one
    if trainer.is_world_process_zero():
        for name in trainer.model.all_tied_weights_keys:  # a second copy of the embeddings would untie them
            weights.pop(name, None)
        trainer.model.save_pretrained(target, state_dict=weights)


def _merge(adapter: Path, target: Path, job: Job, dtype: torch.dtype) -> None:
    from peft import PeftModel
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # under ZeRO-3 the base model would be loaded in parts
    base = load_base(job.base, dtype, trust_remote_code=job.trust_remote_code)
    merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    merged.save_pretrained(target)
    shutil.rmtree(adapter)


def _copy_tokenizer(base: Path, target: Path) -> None:
    for pattern in COPIED:
        for path in base.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, target / path.name)

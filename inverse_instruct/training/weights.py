"""The trained weights as a plain model folder: safetensors, config, tokenizer, chat template, generation config.

Enters: a Trainer after training. Leaves: a folder that appears whole, by a rename, once it has been seen to be the
model that was trained. Adapters are merged into the base model; where they change its embeddings or its head, and the
two were one tensor, they are two from then on. Tokenizer files are copied byte for byte; what is new in them is only
that they name the end of a response.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from inverse_instruct.inference.stop_tokens import name_end
from inverse_instruct.training.fidelity import check_export, logits_of_trained
from inverse_instruct.training.job import Job
from inverse_instruct.training.load import load_base, tied_embeddings_may_part
from inverse_instruct.training.trainer import ResponseTrainer

COPIED = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
    "generation_config.json",
    "LICENSE*",
    "*.py",
)


def export(trainer: ResponseTrainer, job: Job, dtype: torch.dtype) -> float:
    """Write the export of a phase; all ranks take part, as they may hold parts of the weights.

    Returns:
        How far the export is from the trained model, see `fidelity.check_export`; 0 on other ranks than the first.

    Raises:
        TrainingError: it is another model.
    """
    expected = logits_of_trained(trainer)
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
        return 0.0
    unset_hf_deepspeed_config()  # under ZeRO-3 what is loaded from here on would be in parts
    if job.settings.lora:
        _merge(adapter, temporary, job, dtype)
    _copy_tokenizer(job.base, temporary)
    name_end(temporary, job.ending)
    difference = check_export(temporary, dtype, trainer, expected, trust_remote_code=job.trust_remote_code)
    temporary.rename(job.phase.export)
    return difference


def _save_weights(trainer: ResponseTrainer, target: Path) -> None:
    weights = trainer.accelerator.get_state_dict(trainer.deepspeed)  # all ranks; whole on the first one
    if trainer.is_world_process_zero():
        for name in trainer.model.all_tied_weights_keys:  # a second copy of the embeddings would untie them
            weights.pop(name, None)
        trainer.model.save_pretrained(target, state_dict=weights)


def _merge(adapter: Path, target: Path, job: Job, dtype: torch.dtype) -> None:
    merge_adapter(load_base(job.base, dtype, trust_remote_code=job.trust_remote_code), adapter).save_pretrained(target)
    shutil.rmtree(adapter)


def merge_adapter(base: Any, adapter: Path) -> Any:
    """Return a model with an adapter merged into it: the same as the two of them together."""
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    with tied_embeddings_may_part():
        tuned = PeftModel.from_pretrained(base, str(adapter))
    embeddings, head = base.get_input_embeddings(), base.get_output_embeddings()
    if any(isinstance(layer, BaseTunerLayer) for layer in (embeddings, head)):
        embeddings, head = (getattr(layer, "base_layer", layer) for layer in (embeddings, head))
        if head is not None and head.weight is embeddings.weight:  # merged, the change of one would be in both
            head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
            base.config.tie_word_embeddings = base.config.get_text_config().tie_word_embeddings = False
    with tied_embeddings_may_part():
        return tuned.merge_and_unload()


def _copy_tokenizer(base: Path, target: Path) -> None:
    for pattern in COPIED:
        for path in base.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, target / path.name)

"""A folder of sentence-transformers as a function from texts to vectors, computed with transformers alone.

Enters: a folder whose `modules.json` names a Transformer, and then poolings (mean, CLS, maximum, last token), dense
layers and normalizing; without that file, the mean of the last hidden states, normalized. Leaves: float32 on the CPU.
Weights are safetensors, code that comes with a model is not run, texts longer than the model takes are cut. Not
guaranteed: prompts that a model wants before a text; none is put there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

BATCH_TOKENS = 8192  # of a padded batch
LONGEST = 512  # tokens, where a model does not say
States = Any  # torch tensors: (texts, tokens, width) before pooling, (texts, width) after
Step = Callable[[States, Any], States]


class Encoder:
    """One embedding model, loaded."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ValueError: it holds what this does not know.
            OSError: a file is missing.
        """
        modules = _json(folder / "modules.json") or [{"type": "Transformer", "path": ""}, {"type": "Pooling"}]
        kinds = [(module["type"].rpartition(".")[2], _inside(folder, module.get("path"))) for module in modules]
        if not kinds or kinds[0][0] != "Transformer":
            raise ValueError("modules.json does not begin with a Transformer")
        own = kinds[0][1] or folder
        settings = _json(folder / "sentence_bert_config.json") or _json(own / "sentence_bert_config.json") or {}
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._lower = bool(settings.get("do_lower_case"))
        self._tokenizer = AutoTokenizer.from_pretrained(str(own), local_files_only=True, trust_remote_code=False)
        self._model = AutoModel.from_pretrained(
            str(own), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        ).to(self._device)
        self._model.eval()
        self._longest = int(settings.get("max_seq_length") or min(LONGEST, self._tokenizer.model_max_length))
        self._steps = [self._step(kind, path) for kind, path in kinds[1:]]
        if (folder / "modules.json").is_file():
            return
        self._steps.append(_normalize)

    def _step(self, kind: str, folder: Path | None) -> Step:
        if kind == "Pooling":
            return _pooling((_json(folder / "config.json") or {}) if folder else {})
        if kind == "Normalize":
            return _normalize
        if kind == "Dense" and folder:
            return _dense(folder, self._device)
        raise ValueError(f"modules.json names {kind}, which is not known here")

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of some texts, at least one; (n, dimensions)."""
        given = [text.lower() for text in texts] if self._lower else list(texts)
        encoded = self._tokenizer(given, truncation=True, max_length=self._longest)["input_ids"]
        found: list[Any] = [None] * len(texts)
        for batch in _batches([len(ids) for ids in encoded]):
            for place, vector in zip(batch, self._vectors([encoded[place] for place in batch]), strict=True):
                found[place] = vector
        return np.stack(found)

    def _vectors(self, ids: list[list[int]]) -> NDArray[np.float32]:
        batch = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            states = self._model(**batch).last_hidden_state
            for step in self._steps:
                states = step(states, batch["attention_mask"])
        found: NDArray[np.float32] = states.float().cpu().numpy()
        return found


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts of similar lengths together."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place], reverse=True):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(place)
    return batches


def _normalize(states: States, mask: Any) -> States:
    return torch.nn.functional.normalize(states, dim=-1)


def _pooling(config: dict[str, Any]) -> Step:
    known = {
        "pooling_mode_cls_token": _first,
        "pooling_mode_max_tokens": _maximum,
        "pooling_mode_mean_tokens": _mean,
        "pooling_mode_mean_sqrt_len_tokens": _mean_by_root,
        "pooling_mode_lasttoken": _last,
    }
    strange = [name for name, on in config.items() if name.startswith("pooling_mode_") and on and name not in known]
    if strange:
        raise ValueError(f"its pooling asks for {', '.join(strange)}, which is not known here")
    steps = [step for name, step in known.items() if config.get(name, not config and step is _mean)]
    return lambda states, mask: torch.cat([step(states, mask) for step in steps], dim=-1)


def _first(states: States, mask: Any) -> States:
    return states[torch.arange(len(states), device=states.device), mask.argmax(dim=1)]


def _last(states: States, mask: Any) -> States:
    places = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), places]


def _maximum(states: States, mask: Any) -> States:
    return states.masked_fill(mask[..., None] == 0, -torch.inf).amax(dim=1)


def _mean(states: States, mask: Any) -> States:
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _mean_by_root(states: States, mask: Any) -> States:
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).sqrt()


def _dense(folder: Path, device: str) -> Step:
    config, weights = _json(folder / "config.json") or {}, load_file(folder / "model.safetensors", device=device)
    activations = {"Tanh": torch.tanh, "Identity": lambda states: states, "ReLU": torch.relu, "GELU": torch.nn.GELU()}
    name = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if name not in activations:
        raise ValueError(f"its dense layer asks for {name}, which is not known here")
    weight, bias = weights["linear.weight"], weights.get("linear.bias")
    return lambda states, mask: activations[name](torch.nn.functional.linear(states, weight, bias))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _inside(folder: Path, name: str | None) -> Path | None:
    """Return a folder within a model's folder; None if there is no name."""
    path = folder / (name or "")
    if not path.resolve().is_relative_to(folder.resolve()) and folder.resolve().parent.name != "snapshots":
        raise ValueError(f"modules.json names {name}, which is not in the folder")
    return path if name else None

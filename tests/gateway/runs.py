"""Makes small run directories by hand: a ledger, checkpoints that answer differently, and a run.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from inverse_instruct.config.config_file import dump_config, load_config
from inverse_instruct.inference.models import model_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import ROOT


def make_run(path: Path, model: Path, rounds: int, **serve: Any) -> RunDir:
    """Make a run whose round 0 is the model, promoted, and whose later rounds are perturbed copies, candidates."""
    run_dir = RunDir(path)
    settings = {"max_num_seqs": 32} | serve.pop("inference", {})
    overrides = [
        f"model.base={model}",
        f"model.start={model}",
        "model.max_model_len=512",
        *(f"inference.{key}={value}" for key, value in settings.items()),
        *(f"serve.{key}={value}" for key, value in ({"port": 0} | serve).items()),
    ]
    path.mkdir(parents=True)
    run_dir.config.write_text(dump_config(load_config(ROOT / "configs" / "quickstart.yaml", overrides)))
    for number in range(rounds):
        folder = run_dir.checkpoint(number)
        perturb(model, folder, seed=number) if number else shutil.copytree(model, folder)
    with Ledger(run_dir.ledger, create=True) as ledger:
        for number in range(rounds):
            folder = run_dir.checkpoint(number)
            ledger.add_checkpoint(
                Checkpoint(
                    number, str(folder), model_digest(folder), "", "candidate" if number else "promoted", "by hand", {}
                )
            )
    return run_dir


def perturb(model: Path, folder: Path, seed: int) -> None:
    """Copy a model with one layer's weights moved a little: it still writes words, but others."""
    shutil.copytree(model, folder)
    path = folder / "model.safetensors"
    weights = load_file(path)
    random = np.random.default_rng(seed)
    for name in [name for name in weights if name.endswith(".mlp.down_proj.weight")][:2]:
        noise = random.standard_normal(weights[name].shape, dtype=np.float32)
        weights[name] = (weights[name] + 0.3 * weights[name].std() * noise).astype(weights[name].dtype)
    path.unlink()
    save_file(weights, path, {"format": "pt"})


def promote(run_dir: RunDir, number: int) -> None:
    """Promote a checkpoint as a person does."""
    with Ledger(run_dir.ledger) as ledger:
        promoted = ledger.promoted()
        ledger.promote(number, over=promoted.round if promoted else None, author="test", reason="by hand")


def roll_back(run_dir: RunDir) -> None:
    """Roll back as a person does."""
    with Ledger(run_dir.ledger) as ledger:
        promoted = ledger.promoted()
        assert promoted is not None
        ledger.roll_back(over=promoted.round, author="test", reason="by hand")


def events(run_dir: RunDir) -> list[str]:
    """Return what the ledger has to tell, oldest first."""
    with Ledger(run_dir.ledger) as ledger:
        return [event.message for event in ledger.events()]


def promoted(run_dir: RunDir) -> str:
    """Return the name of the promoted checkpoint."""
    with Ledger(run_dir.ledger) as ledger:
        checkpoint = ledger.promoted()
        assert checkpoint is not None
        return checkpoint.name

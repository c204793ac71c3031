"""A run never changes its mind: its config and the digests of its models are written once, and later starts must fit.

Enters: the config of a start, its models. Leaves: `run.yaml` and `models.json` in the run's folder, or a `RunDirError`
that names what differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from inverse_instruct import __version__
from inverse_instruct.config.config_file import dump_config, load_config
from inverse_instruct.config.identity import decisive
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import RunDirError
from inverse_instruct.inference.models import model_digest
from inverse_instruct.store.files import atomic_write, write_json
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.machine import gpu_count
from inverse_instruct.training.launch import rank_count
from inverse_instruct.training.zero import ranks_decide

RANKS = "ranks.json"


def check_config(config: RunConfig, run_dir: RunDir) -> RunConfig:
    """Return the config with its date; if the run has one already, they may differ only in fields marked `HOW`.

    Raises:
        RunDirError: the run was started with another config.
        ConfigError: the config that is there cannot be read.
    """
    pinned = load_config(run_dir.config) if run_dir.config.exists() else None
    config = with_date(config, pinned)
    if pinned:
        theirs, ours = decisive(with_date(pinned, config)), decisive(config)  # it may be older than dates are
        changed = [name for name in ours if ours[name] != theirs[name]]
        if changed:
            raise RunDirError(
                f"{run_dir.path} was started with another config ({', '.join(changed)} differ); choose "
                "another --run-dir, or go on with the config in run.yaml"
            )
    return config


def pin_config(config: RunConfig, run_dir: RunDir) -> RunConfig:
    """Write the resolved config and return it.

    Raises:
        RunDirError: the run was started with another config.
        ConfigError: the config that is there cannot be read.
    """
    config = check_config(config, run_dir)
    with atomic_write(run_dir.config) as stream:
        stream.write(f"# inverse-instruct {__version__}\n{dump_config(config)}")
    return config


def with_date(config: RunConfig, other: RunConfig | None) -> RunConfig:
    """Return a config with the date that its chat template is told: its own, the other one's, or that of today."""
    day = config.model.template_date or (other and other.model.template_date) or date.today()
    return config.model_copy(update={"model": config.model.model_copy(update={"template_date": day})})


def check_ranks(config: RunConfig, run_dir: RunDir) -> None:
    """See that there are as many training ranks as the run was started with, where their number decides the weights.

    Raises:
        RunDirError: there are not.
        ConfigError: the hostfile or the DeepSpeed config cannot be read.
    """
    if not ranks_decide(config.train):
        return
    path, ranks = run_dir.path / RANKS, rank_count(config.train, gpu_count())
    try:
        pinned = int(json.loads(path.read_text(encoding="utf-8"))["ranks"]) if path.exists() else ranks
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirError(f"{path} is damaged ({error}); remove it if the number of ranks is unchanged") from error
    if pinned != ranks:
        raise RunDirError(
            f"train: the run was started with {pinned} ranks, now there are {ranks}. Adafactor clips the "
            "update of each rank's share of the weights for itself, so another number of ranks gives "
            f"other weights; give it {pinned} (train.processes, train.hostfile), or choose another "
            "--run-dir or train.optimizer: adamw"
        )


def pin_ranks(config: RunConfig, run_dir: RunDir) -> None:
    """Write the number of training ranks where it decides the weights.

    Raises:
        RunDirError: the run was started with another number.
        ConfigError: the hostfile or the DeepSpeed config cannot be read.
    """
    check_ranks(config, run_dir)
    if ranks_decide(config.train):
        write_json(run_dir.path / RANKS, {"ranks": rank_count(config.train, gpu_count())})


def pin_models(models: Mapping[str, Path], run_dir: RunDir) -> None:
    """Write the digests of the models that are given to a run; if they are there already, they must be the same.

    Args:
        models: key of the config -> folder of the model.
        run_dir: the run.

    Raises:
        RunDirError: the files of a model are no longer those that the run was started with.
    """
    path = run_dir.path / "models.json"
    digests = {key: model_digest(folder) for key, folder in models.items()}
    try:
        pinned = json.loads(path.read_text(encoding="utf-8")) if path.exists() else digests
    except ValueError as error:
        raise RunDirError(f"{path} is damaged ({error}); remove it if {', '.join(models)} are unchanged") from error
    for key, found in digests.items():
        if pinned.get(key) != found:
            raise RunDirError(
                f"{key}: the files in {models[key]} have changed since the run was started (digest "
                f"{pinned.get(key)} then, {found} now); put back the files, or choose another --run-dir"
            )
    write_json(path, digests)

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
MODELS = "models.json"


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


def check_models(models: Mapping[str, Path], run_dir: RunDir) -> None:
    """See that a run is given the models that it was started with.

    Args:
        models: key of the config -> folder of the model.
        run_dir: the run.

    Raises:
        RunDirError: it is not, or the files of a model have changed.
    """
    path = run_dir.path / MODELS
    if not path.exists():
        return
    try:
        pinned = {str(key): str(found) for key, found in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise RunDirError(f"{path} is damaged ({error}); remove it if {', '.join(models)} are unchanged") from error
    for key in sorted(pinned.keys() ^ models.keys()):
        raise RunDirError(
            f"{key}: the run was started with{'' if key in pinned else 'out'} one; leave it as it was, or choose "
            "another --run-dir"
        )
    for key, folder in models.items():
        if pinned[key] != (found := model_digest(folder)):
            raise RunDirError(
                f"{key}: the files in {folder} have changed since the run was started (digest {pinned[key]} then, "
                f"{found} now); put back the files, or choose another --run-dir"
            )


def pin_models(models: Mapping[str, Path], run_dir: RunDir) -> None:
    """Write the digests of the models that are given to a run; arguments and errors as of `check_models`."""
    check_models(models, run_dir)
    write_json(run_dir.path / MODELS, {key: model_digest(folder) for key, folder in models.items()})

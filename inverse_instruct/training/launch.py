"""The command and environment that start the workers of a phase.

Enters: the config's processes and hostfile. Leaves: a command line; one rank runs without a launcher, which saves
about six seconds, several run under DeepSpeed's. Not guaranteed: GPUs that `nvidia-smi` does not list; name
`train.processes` there.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from pathlib import Path

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.system.machine import INTEL_OPENMP, free_port, visible_devices
from inverse_instruct.system.root import python_path

WORKER = "inverse_instruct.training.worker"


def read_hostfile(path: str) -> dict[str, int]:
    """Return the hosts of a hostfile and how many ranks each may run, read as DeepSpeed reads it.

    Raises:
        ConfigError: it cannot be read, or one of its lines is not of the form `HOST slots=N`.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"train.hostfile: {path} cannot be read ({getattr(error, 'strerror', '') or error})"]
        ) from error
    hosts: dict[str, int] = {}
    for number, line in enumerate((line.strip() for line in lines), 1):
        if not line or line.startswith("#"):
            continue
        entry = re.match(r"(\S+)\s+slots=(\d+)", line)
        if entry is None:
            raise ConfigError([f"train.hostfile: {path}:{number}: is not of the form 'HOST slots=N'"])
        if entry[1] in hosts:
            raise ConfigError([f"train.hostfile: {path}:{number}: {entry[1]} is there twice; name each host once"])
        hosts[entry[1]] = int(entry[2])
    if not sum(hosts.values()):
        raise ConfigError([f"train.hostfile: {path} has no line of the form 'HOST slots=N'"])
    return hosts


def rank_count(config: TrainSection, gpus: int) -> int:
    """Return the number of ranks over all machines.

    Raises:
        ConfigError: the hostfile cannot be read or names no slots.
    """
    if config.hostfile is None:
        return config.processes or max(1, gpus)
    slots = read_hostfile(config.hostfile).values()
    return sum(min(count, config.processes or count) for count in slots)


def worker_command(config: TrainSection, ranks: int, job: Path) -> list[str]:
    """Return the command that runs a job on all ranks."""
    if config.hostfile is None and ranks == 1:
        return [sys.executable, "-m", WORKER, str(job)]
    options = ["--master_port", str(free_port()), "--no_local_rank", "--log_level", "warning"]
    worker = ["--module", WORKER, str(job)]
    if config.hostfile is None:  # the runner would only start this, and overlook CUDA_VISIBLE_DEVICES
        devices = {"localhost": _devices(ranks)}
        world = base64.urlsafe_b64encode(json.dumps(devices).encode()).decode()
        return [sys.executable, "-m", "deepspeed.launcher.launch", f"--world_info={world}", *options, *worker]
    limit = [] if config.processes is None else ["--num_accelerators", str(config.processes)]
    return [sys.executable, "-m", "deepspeed.launcher.runner", "--hostfile", config.hostfile, *limit, *options, *worker]


def worker_environment(config: TrainSection, ranks: int, gpus: int) -> dict[str, str]:
    """Return the whole environment of the workers: offline, and with the cores of this machine shared out."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = python_path()
    environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    if gpus == 0:
        environment["DS_ACCELERATOR"] = "cpu"
        environment.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // ranks)))
        if INTEL_OPENMP.is_file():
            environment.setdefault("LD_PRELOAD", str(INTEL_OPENMP))
    if config.hostfile is None and ranks == 1:
        environment |= {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "LOCAL_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free_port()),
        }
    return environment


def _devices(ranks: int) -> list[str]:
    visible = visible_devices() or []
    return visible[:ranks] if len(visible) >= ranks else [str(number) for number in range(ranks)]

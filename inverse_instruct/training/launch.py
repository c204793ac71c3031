"""The command and environment that start the workers of a phase.

Enters: the config's processes, hostfile and launcher. Leaves: a command line; one rank runs without a launcher, which
saves about six seconds, several run under DeepSpeed's, or under `srun`, from whose variables a worker takes its rank.
Not guaranteed, under Slurm: anything unless the run itself is on the first node of its allocation, where rank 0 is.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
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
        ConfigError: the hostfile cannot be read or names no slots, or this is no allocation of Slurm's.
    """
    if config.launcher == "slurm":
        return _ranks_per_node(config, gpus) * _nodes()
    if config.hostfile is None:
        return config.processes or max(1, gpus)
    slots = read_hostfile(config.hostfile).values()
    return sum(min(count, config.processes or count) for count in slots)


def _ranks_per_node(config: TrainSection, gpus: int) -> int:
    return config.processes or max(1, gpus)


def _nodes() -> int:
    """Return how many nodes the allocation has.

    Raises:
        ConfigError: there is none.
    """
    nodes = os.environ.get("SLURM_NNODES") or os.environ.get("SLURM_JOB_NUM_NODES") or ""
    if not nodes.isdecimal():
        raise ConfigError(
            [
                "train.launcher: slurm starts ranks on the nodes of the allocation that the run is in, and this is "
                "none (SLURM_NNODES is not set); start the run with sbatch or salloc, or leave the launcher out"
            ]
        )
    return int(nodes)


def worker_command(config: TrainSection, ranks: int, job: Path) -> list[str]:
    """Return the command that runs a job on all ranks."""
    if config.launcher == "slurm":
        tasks = ["--nodes", str(_nodes()), "--ntasks", str(ranks), "--ntasks-per-node", str(ranks // _nodes())]
        # without --overlap the step would wait for the one that the run itself may be
        return [
            "srun",
            *tasks,
            "--overlap",
            "--cpu-bind=none",
            "--kill-on-bad-exit=1",
            sys.executable,
            "-m",
            WORKER,
            str(job),
        ]
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
        here = ranks // _nodes() if config.launcher == "slurm" else ranks
        environment.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // here)))
        if INTEL_OPENMP.is_file():
            environment.setdefault("LD_PRELOAD", str(INTEL_OPENMP))
    if config.launcher == "slurm":
        host = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
        environment |= {"MASTER_ADDR": host, "MASTER_PORT": str(free_port())}
    elif config.hostfile is None and ranks == 1:
        environment |= {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "LOCAL_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free_port()),
        }
    return environment


def take_rank_of_slurm() -> None:
    """Set the variables of a rank that `srun` has started; those that another launcher has set stay."""
    if "RANK" not in os.environ and "SLURM_PROCID" in os.environ:
        os.environ |= {
            "RANK": os.environ["SLURM_PROCID"],
            "LOCAL_RANK": os.environ["SLURM_LOCALID"],
            "WORLD_SIZE": os.environ["SLURM_NTASKS"],
            "LOCAL_SIZE": os.environ["SLURM_NTASKS_PER_NODE"],
        }


def _devices(ranks: int) -> list[str]:
    visible = visible_devices() or []
    return visible[:ranks] if len(visible) >= ranks else [str(number) for number in range(ranks)]

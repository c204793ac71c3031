"""The command that trains, run as a user runs it and watched from outside: when each step and checkpoint was there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inverse_instruct.system.root import ROOT
from tests.gpu.shapes import ON_CPU

GIB = 2**30
SEED = 3


def environment() -> dict[str, str]:
    """Return this process's environment with the checkout first on Python's path."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


def on_device(task: str, **arguments: Any) -> Any:
    """Run a task of `on_device.py`; return what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.gpu.on_device", task, json.dumps(arguments)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout.splitlines()[-1])


@dataclass
class Training:
    """One `inverse-instruct train` on a file of rows; the whole file is one or more epochs of one phase."""

    output: Path
    base: Path
    rows: Path
    settings: dict[str, Any]
    epochs: float = 1
    environment: dict[str, str] = field(default_factory=environment)
    prefix: tuple[str, ...] = ()  # a program that runs the command, such as `prlimit`

    @property
    def phase(self) -> Path:
        return self.output / "phase-0-selected"

    @property
    def checkpoint(self) -> Path:
        return self.output / "checkpoint"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Start the command; what of it still runs at the end is killed, and its supervisor ends the workers."""
        process = self._start()
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[str]:
        self.output.parent.mkdir(parents=True, exist_ok=True)
        config = self.output.with_suffix(".yaml")
        phases = [{"data": "original", "epochs": self.epochs}]
        config.write_text(
            yaml.safe_dump({"seed": SEED, "train": {"learning_rate": 5e-4, **self.settings, "phases": phases}})
        )
        arguments = [
            "--model",
            str(self.base),
            "--input",
            str(self.rows),
            "--output",
            str(self.output),
            "--config",
            str(config),
            "--set",
            "model.prompt_format=chat",
        ]
        with self.log.open("w") as log:
            return subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "inverse_instruct.cli", "train", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    @property
    def log(self) -> Path:
        return self.output.with_suffix(".log")

    def run(self) -> dict[str, Any]:
        """Run it to its end; return the manifest's figures of the phase."""
        with self.running() as process:
            assert process.wait() == 0, self.log.read_text()[-6000:]
        return self.figures()

    def figures(self) -> dict[str, Any]:
        """Return the manifest's figures of the phase."""
        manifest = json.loads((self.output / "manifest.json").read_text())
        phase: dict[str, Any] = manifest["metrics"]["phases"][0]
        return phase

    def resumed_from(self) -> str | None:
        """Return the step checkpoint that the workers were last told to go on from."""
        path = self.phase / "job.json"
        resume = json.loads(path.read_text())["resume"] if path.exists() else None
        return resume and Path(resume).name

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole loss lines so far."""
        path = self.phase / "loss.jsonl"
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


@dataclass
class Timeline:
    """When things were there, in seconds since the command started."""

    steps: list[float]  # each loss line
    saved: dict[int, float]  # each whole step checkpoint, by its step
    saved_bytes: dict[int, int]
    ended: float

    def seconds_to_save(self, step: int) -> float:
        """Return the time from a step's loss line to its checkpoint's marker: writing, hashing, flushing."""
        return self.saved[step] - self.steps[step - 1]

    def around_the_steps(self) -> dict[str, float]:
        """Return how long loading took, exporting, and all together."""
        return {
            "seconds_to_first_step": round(self.steps[0], 1),
            "ended_after": round(self.ended, 1),
            "seconds_after_last_step": round(self.ended - self.steps[-1], 1),
        }


@contextmanager
def device_memory() -> Iterator[list[int]]:
    """Yield a list that gets the MiB in use on the device a few times a second, whoever uses them; empty on a CPU."""
    used: list[int] = []
    over = threading.Event()
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]

    def sample() -> None:
        while not ON_CPU and not over.wait(0.2):
            used.append(int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield used
    finally:
        over.set()
        sampler.join()


def watch(training: Training, until: Callable[[Timeline], bool] = lambda timeline: False) -> Timeline:
    """Run a training to its end, or kill it once something is so; note the times."""
    timeline = Timeline([], {}, {}, 0.0)
    started = time.monotonic()
    with training.running() as process:
        while process.poll() is None and not until(timeline):
            now = time.monotonic() - started
            timeline.steps += [now] * (len(training.lines()) - len(timeline.steps))
            for marker in training.phase.glob("steps/checkpoint-*/complete.json"):
                step = int(marker.parent.name.rpartition("-")[2])
                if step not in timeline.saved:
                    timeline.saved[step] = now
                    timeline.saved_bytes[step] = sum(
                        path.stat().st_size for path in marker.parent.rglob("*") if path.is_file()
                    )
            time.sleep(0.02)
        timeline.ended = time.monotonic() - started
        assert not process.poll(), training.log.read_text()[-6000:]
    return timeline


def hide_compiler(folder: Path) -> dict[str, str]:
    """Return an environment in which no `nvcc` is found, as on most machines that only train."""
    kept = [entry for entry in os.environ["PATH"].split(os.pathsep) if not Path(entry, "nvcc").exists()]
    folder.mkdir(parents=True, exist_ok=True)
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "0")  # `nvidia-smi` may be in a folder that was left out
    return environment() | {"PATH": os.pathsep.join(kept), "CUDA_HOME": str(folder), "CUDA_VISIBLE_DEVICES": devices}


def free_bytes() -> int:
    """Return the free memory of the device; on a CPU 0."""
    return 0 if ON_CPU else int(on_device("describe")["free_bytes"])

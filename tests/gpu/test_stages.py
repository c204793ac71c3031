"""DeepSpeed without a compiler; every ZeRO stage and optimizer in bf16; a training that is killed and goes on."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.store.rows import read_rows
from inverse_instruct.system.root import ROOT
from inverse_instruct.training.batches import BatchPlan
from inverse_instruct.training.sequences import build_sequences
from tests.gpu.conftest import Figures, WriteRandomRows
from tests.gpu.harness import Training, free_bytes, hide_compiler, on_device
from tests.gpu.shapes import ON_CPU

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(2000 if ON_CPU else 300)]
MakeTraining = Callable[[str, str, str], Training]
Curves = tuple[int, dict[tuple[str, str], list[float]]]
"""The seed, and the losses by stage and optimizer."""
OPTIMIZERS = ("adafactor", "adamw")
STAGES = ("zero1", "zero2", "zero3")
EPOCHS = 2 if ON_CPU else 4
SETTINGS = {"global_batch_size": 16, "micro_batch_size": 4, "max_length": 160, "save_steps": 5}


def test_deepspeed_imports_without_a_compiler(tmp_path: Path, figures: Figures, device: dict[str, Any]) -> None:
    code = (
        "import json, os, shutil, deepspeed, torch\n"
        "from deepspeed.accelerator import get_accelerator\n"
        "assert shutil.which('nvcc') is None and not os.listdir(os.environ['CUDA_HOME'])\n"
        "print(json.dumps([deepspeed.__version__, get_accelerator().device_name()]))"
    )
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=hide_compiler(tmp_path / "cuda"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    version, accelerator = json.loads(result.stdout.splitlines()[-1])
    figures(**device, deepspeed=version, import_seconds=round(time.monotonic() - started, 1))
    assert accelerator == ("cpu" if ON_CPU else "cuda")


@pytest.fixture(scope="module")
def rows(write_random_rows: WriteRandomRows) -> Path:
    return write_random_rows(160, 64, 160)


@pytest.fixture(scope="module")
def make_training(tiny: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeTraining:
    """A function that makes a training of the tiny model, in a folder of its own, where no compiler is found."""
    folder = tmp_path_factory.mktemp("stages")

    def make(name: str, stage: str, optimizer: str) -> Training:
        return Training(
            folder / name,
            tiny,
            rows,
            SETTINGS | {"deepspeed": stage, "optimizer": optimizer},
            EPOCHS,
            hide_compiler(folder / "cuda"),
        )

    return make


@pytest.fixture(scope="module")
def curves(make_training: MakeTraining) -> Curves:
    """The losses of all stages with all optimizers; the trainings share the device."""
    trainings = {
        (stage, optimizer): make_training(f"{stage}-{optimizer}", stage, optimizer)
        for optimizer, stage in itertools.product(OPTIMIZERS, STAGES)
    }
    with ThreadPoolExecutor(min(len(trainings), max(1, (os.cpu_count() or 2) // 2))) as pool:
        results = list(pool.map(Training.run, trainings.values()))
    seeds = {json.loads((training.phase / "job.json").read_text())["seed"] for training in trainings.values()}
    assert len(seeds) == 1
    assert all(ON_CPU or result["peak_memory_bytes"] for result in results), "all trained on the GPU"
    return seeds.pop(), dict(zip(trainings, (result["losses"] for result in results), strict=True))


def test_the_first_loss_is_that_of_a_plain_forward_pass(
    curves: Curves, tiny: Path, rows: Path, tmp_path: Path, figures: Figures
) -> None:
    seed, losses = curves
    sequences, rejections = build_sequences(read_rows(rows), PromptFormatter(tiny, "chat"), SETTINGS["max_length"])
    assert not rejections
    sequences.save(tmp_path / "sequences.npz")
    plan = BatchPlan(
        sequences.lengths,
        global_batch_size=SETTINGS["global_batch_size"],
        micro_batch_size=SETTINGS["micro_batch_size"],
        ranks=1,
        epochs=EPOCHS,
        seed=seed,
    )
    plain = on_device(
        "plain_loss", model=str(tiny), sequences=str(tmp_path / "sequences.npz"), rows=plan.rows(0).tolist()
    )["loss"]
    first = {" ".join(key): curve[0] for key, curve in losses.items()}
    figures(plain_loss=plain, largest_difference=max(abs(loss - plain) for loss in first.values()), first_losses=first)
    for name, loss in first.items():
        assert loss == pytest.approx(plain, abs=1e-3), name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_stages_give_one_curve(curves: Curves, optimizer: str, figures: Figures) -> None:
    one, *others = (curves[1][stage, optimizer] for stage in STAGES)
    differences = {
        stage: max(abs(a - b) for a, b in zip(one, other, strict=True))
        for stage, other in zip(STAGES[1:], others, strict=True)
    }
    figures(steps=len(one), loss_first=one[0], loss_last=one[-1], largest_difference_to_zero1=differences)
    assert one[-1] < one[0] - 0.1, "it learns"
    assert max(differences.values()) < 2e-2


@pytest.mark.parametrize(("stage", "optimizer"), [("zero2", "adamw"), ("zero3", "adafactor")])
def test_killed_it_frees_the_device_and_goes_on_to_the_same_losses(
    curves: Curves, make_training: MakeTraining, stage: str, optimizer: str, figures: Figures
) -> None:
    uninterrupted = curves[1][stage, optimizer]
    training = make_training(f"killed-{stage}-{optimizer}", stage, optimizer)
    free = free_bytes()
    with training.running() as process:
        while len(training.lines()) < len(uninterrupted) // 3:
            assert process.poll() is None, training.log.read_text()
            time.sleep(0.002)
    killed = time.monotonic()
    reached = len(training.lines())
    while free_bytes() < free - 2**28:
        assert time.monotonic() - killed < 60, "the workers still hold memory"
    freed = time.monotonic() - killed
    losses = training.run()["losses"]
    difference = max(abs(a - b) for a, b in zip(losses, uninterrupted, strict=True))
    figures(
        killed_after_step=reached,
        resumed_from=training.resumed_from(),
        seconds_until_free=round(freed, 1),
        largest_difference=difference,
    )
    assert training.resumed_from() is not None
    assert difference < (1e-6 if ON_CPU else 5e-3)

"""Models of real size with random weights: speed against the device's own peak, memory, checkpoints, running out."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gpu.conftest import Figures, WriteRandomRows
from tests.gpu.harness import GIB, Training, device_memory, free_bytes, on_device, watch
from tests.gpu.shapes import CODER_1_3B, CODER_6_7B, ON_CPU, Shape

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(2000 if ON_CPU else 300)]
Peak = dict[str, float]
LENGTH = 128 if ON_CPU else 1024
SETTINGS: dict[str, Any] = {
    "global_batch_size": 32,
    "micro_batch_size": 8,
    "max_length": LENGTH,
    "save_steps": 1000,
    "learning_rate": 1e-5,
}
STEPS = 7
ROWS_TOO_MANY = 96  # of 1024 tokens: their activations alone are 220 GB
LIMIT = ("prlimit", "--as=8000000000") if ON_CPU else ()  # where no GPU is full, the logits do not fit
REMEDY = {"micro_batch_size": 2} if ON_CPU else {"gradient_checkpointing": True}
STATE_BYTES = {"adafactor": 4, "adamw": 8}  # a weight's optimizer state on a flat float32 shard
MiB = 2**20


@pytest.fixture(scope="module")
def peak(device: dict[str, Any]) -> Peak:
    """The device's own ceilings: bf16 matrix products and copies of random data."""
    found: Peak = on_device("measure_peak", size=256 if ON_CPU else 8192)
    return found


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder for a training, removed at once: these are large."""
    yield tmp_path / "train"
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def output(scratch: Path) -> Iterator[Path]:
    """The same beside the models, where no disk is waited for."""
    yield scratch / "output" / "train"
    shutil.rmtree(scratch / "output", ignore_errors=True)


def test_the_ceilings_of_the_device(peak: Peak, tmp_path: Path, figures: Figures) -> None:
    seconds = on_device("write_file", path=str(tmp_path / "file"), size=64 * MiB if ON_CPU else 2 * GIB)["seconds"]
    (tmp_path / "file").unlink()
    figures(**peak, disk_gib_per_second=(64 * MiB if ON_CPU else 2 * GIB) / GIB / seconds)


def speed(training: Training, shape: Shape, peak: Peak, *, all_weights: bool) -> dict[str, Any]:
    """Return tokens per second over the steps, and what that is of the device's peak; the first two steps warm up."""
    lines = [line for line in training.lines()[2:]]
    tokens = sum(line["tokens"] for line in lines)
    seconds = sum(line["seconds"] for line in lines)
    mean_length = tokens / len(lines) / SETTINGS["global_batch_size"]
    flops = shape.training_flops(tokens, mean_length, all_weights=all_weights) / seconds
    return {
        "tokens_per_second": round(tokens / seconds, 1),
        "of_peak": flops / peak["matmul_tflops"] / 1e12,
        "seconds_of_a_step": statistics.median(line["seconds"] for line in lines),
        "mean_length": mean_length,
    }


def memory(training: Training, used: list[int], expected: int) -> dict[str, Any]:
    """Return what tensors took at most, what the device did, and what weights, gradients and states alone must take."""
    measured = training.figures()["peak_memory_bytes"]
    return {
        "peak_gib": measured and round(measured / GIB, 2),
        "device_gib": round(max(used) / 1024, 2) if used else None,
        "weights_and_states_gib": round(expected / GIB, 2),
    }


@pytest.mark.parametrize(("stage", "optimizer"), [("zero2", "adafactor"), ("zero2", "adamw"), ("zero3", "adafactor")])
def test_all_weights_of_1_3b(
    coder_1_3b: Path,
    write_random_rows: WriteRandomRows,
    output: Path,
    peak: Peak,
    figures: Figures,
    stage: str,
    optimizer: str,
) -> None:
    rows = write_random_rows(STEPS * SETTINGS["global_batch_size"], LENGTH // 2, LENGTH)
    training = Training(output, coder_1_3b, rows, SETTINGS | {"deepspeed": stage, "optimizer": optimizer})
    with device_memory() as used:
        timeline = watch(training)
    expected = CODER_1_3B.parameters * (2 + 4 + 4 + STATE_BYTES[optimizer])  # bf16, float32 master and gradients
    found = speed(training, CODER_1_3B, peak, all_weights=True) | memory(training, used, expected)
    figures(**found, **timeline.around_the_steps())
    assert (training.checkpoint / "model.safetensors").is_file()
    if not ON_CPU:
        assert found["peak_gib"] > 0.95 * found["weights_and_states_gib"]
        assert found["of_peak"] > (0.1 if stage == "zero3" else 0.2)


def test_a_step_checkpoint_of_1_3b(
    coder_1_3b: Path, write_random_rows: WriteRandomRows, on_disk: Path, figures: Figures
) -> None:
    """Kill the training when its first checkpoint is whole, and again at the first step after it went on from there."""
    rows = write_random_rows(STEPS * SETTINGS["global_batch_size"], LENGTH // 2, LENGTH)
    training = Training(on_disk, coder_1_3b, rows, SETTINGS | {"save_steps": 2})
    first = watch(training, until=lambda timeline: 2 in timeline.saved)
    second = watch(training, until=lambda _: bool(training.resumed_from()) and len(training.lines()) > 2)
    figures(
        checkpoint_gib=round(first.saved_bytes[2] / GIB, 2),
        seconds_to_save=round(first.seconds_to_save(2), 1),
        seconds_to_first_step=round(first.steps[0], 1),
        seconds_to_first_step_resumed=round(second.ended, 1),
    )
    assert training.resumed_from() == "checkpoint-2" and training.lines()[2]["step"] == 3
    assert first.saved_bytes[2] > CODER_1_3B.parameters * (2 + 4 + STATE_BYTES["adafactor"])


def test_adapters_of_6_7b(
    coder_6_7b: Path, write_random_rows: WriteRandomRows, output: Path, peak: Peak, figures: Figures
) -> None:
    rows = write_random_rows(5 * SETTINGS["global_batch_size"], LENGTH // 2, LENGTH)
    training = Training(output, coder_6_7b, rows, SETTINGS | {"micro_batch_size": 4, "lora": {}})
    with device_memory() as used:
        timeline = watch(training)
    found = speed(training, CODER_6_7B, peak, all_weights=False) | memory(training, used, 2 * CODER_6_7B.parameters)
    figures(**found, **timeline.around_the_steps())
    if not ON_CPU:
        assert 1 < found["peak_gib"] / found["weights_and_states_gib"] < 5
        assert found["of_peak"] > 0.2


def test_out_of_memory_ends_with_the_remedy_and_frees_the_device(
    coder_1_3b: Path, write_random_rows: WriteRandomRows, output: Path, peak: Peak, figures: Figures
) -> None:
    length = 512 if ON_CPU else LENGTH
    rows = write_random_rows(ROWS_TOO_MANY, length, length)
    too_much = SETTINGS | {"global_batch_size": ROWS_TOO_MANY, "micro_batch_size": ROWS_TOO_MANY, "max_length": length}
    training = Training(output, coder_1_3b, rows, too_much, prefix=LIMIT)
    before = free_bytes()
    with training.running() as process:
        assert process.wait() == 1
    message = training.log.read_text()
    freed = free_bytes()
    assert "the memory did not suffice" in message and "train.gradient_checkpointing: true" in message
    assert "Traceback" not in message.split("The end of")[0]
    assert not training.checkpoint.exists()
    remedied = Training(output, coder_1_3b, rows, too_much | REMEDY)
    with device_memory() as used:
        losses = remedied.run()["losses"]
    figures(
        free_gib_before=before / GIB,
        free_gib_after=freed / GIB,
        exit_code=process.returncode,
        said=next(line for line in message.splitlines() if "suffice" in line),
        losses_with_the_remedy=losses,
        **memory(remedied, used, CODER_1_3B.parameters * 14),
        seconds_of_a_step=remedied.lines()[-1]["seconds"],
    )
    assert freed > before - 256 * MiB

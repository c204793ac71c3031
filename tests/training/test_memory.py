"""What cannot fit the GPUs that are here is refused, with what fits; the figures are those of DeepSpeed's states."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.inference.model_files import parameter_count
from inverse_instruct.training.memory import bytes_per_rank, memory_problems

SHAPES = {"model.embed_tokens.weight": [32_000, 4096], "model.layers.0.mlp.down_proj.weight": [1_607_000, 4096]}
"""6.7B weights; the file has their header and a hole."""


@pytest.fixture
def seven_b(tmp_path: Path) -> Path:
    header = {
        name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, 2 * shape[0] * shape[1]]}
        for name, shape in SHAPES.items()
    }
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    return tmp_path


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a machine of so many cards of 80 GB, by a stand-in for `nvidia-smi`."""

    def make(count: int, mib: str = "81559") -> None:
        lines = [f"{number}, GPU-{number}, {mib}, {mib}" for number in range(count)]
        listing = [f"GPU {number}: NVIDIA H100 80GB HBM3 (UUID: GPU-{number})" for number in range(count)]
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        named, told = "\n".join(listing), "\n".join(lines)
        program.write_text(f"#!/bin/sh\n[ $1 = -L ] && cat <<'A' || cat <<'B'\n{named}\nA\n{told}\nB\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")

    return make


def problems(base: Path, **section: Any) -> list[str]:
    return list(memory_problems(TrainSection(**section), base))


def test_one_card_takes_adapters_of_7b_and_not_all_weights(cards: Callable[..., None], seven_b: Path) -> None:
    cards(1)
    assert parameter_count(seven_b) == 6_713_344_000
    [problem] = problems(seven_b)
    assert "weights, gradients and adafactor state of 6.7B parameters take 88 GiB of each of 1 GPU of 80 GiB" in problem
    assert "what fits: adapters (train.lora: {}), or zero3 on 2 such GPUs or more" in problem
    assert problems(seven_b, lora={}) == []


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_eight_cards_take_all_weights(cards: Callable[..., None], seven_b: Path, stage: str, optimizer: str) -> None:
    cards(8)
    assert problems(seven_b, deepspeed=stage, optimizer=optimizer) == []


def test_the_stage_that_fits_is_named(cards: Callable[..., None], seven_b: Path) -> None:
    cards(2, "65000")
    [problem] = problems(seven_b, deepspeed="zero1", optimizer="adamw")
    assert "of each of 2 GPUs" in problem and "under ZeRO-1" in problem
    assert "what fits: train.deepspeed: zero2, or train.deepspeed: zero3, or adapters" in problem


def test_what_offloads_or_does_not_tell_its_memory_is_let_pass(
    cards: Callable[..., None], seven_b: Path, tmp_path: Path
) -> None:
    cards(1)
    file = tmp_path / "offload.json"
    file.write_text(json.dumps({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}))
    assert problems(seven_b, deepspeed=str(file)) == []


def test_unknown_memory_refuses_nothing(cards: Callable[..., None], seven_b: Path) -> None:
    cards(1, "[N/A]")
    assert problems(seven_b) == []


@pytest.mark.parametrize(
    ("optimizer", "stage", "ranks", "bytes_each"),
    [
        ("adafactor", 3, 1, 14),
        ("adamw", 3, 1, 18),
        ("adafactor", 0, 8, 14),
        ("adafactor", 1, 8, 2 + 4 + 8 / 8),
        ("adafactor", 2, 8, 2 + 12 / 8),
        ("adamw", 3, 8, 18 / 8),
    ],
)
def test_what_ranks_share(optimizer: str, stage: int, ranks: int, bytes_each: float) -> None:
    assert bytes_per_rank(1000, optimizer, stage, ranks) == 1000 * bytes_each

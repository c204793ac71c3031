"""The shipped DeepSpeed files say what the built-in names mean; unusable ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.errors import ConfigError
from inverse_instruct.training.zero import load_deepspeed_config

SHIPPED = Path(__file__).parents[2] / "configs" / "deepspeed"


@pytest.mark.parametrize("name", ["zero1", "zero2", "zero3"])
def test_the_shipped_files_equal_the_built_in_configs(name: str) -> None:
    assert json.loads((SHIPPED / f"{name}.json").read_text()) == load_deepspeed_config(name)
    assert load_deepspeed_config(str(SHIPPED / f"{name}.json")) == load_deepspeed_config(name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no object"),
        ('{"zero_optimization": {"stage": 3}}', "stage3_gather_16bit_weights_on_model_save"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_deepspeed_config(str(path))


def test_a_missing_file_names_the_built_in_ones() -> None:
    with pytest.raises(ConfigError, match="zero1, zero2, zero3"):
        load_deepspeed_config("zero4")


def test_a_file_need_not_say_what_training_cannot_do_without(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"zero_optimization": {"stage": 0}, "train_micro_batch_size_per_gpu": 3}')
    assert load_deepspeed_config(str(path)) == {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": 3,
        "gradient_accumulation_steps": "auto",
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {"stage": 0},
    }

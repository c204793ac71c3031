"""What is played by default, and with which model.

Of the many (recipe, field) pairs those are looked at about which another recipe does not tell. The model's tokenizer is
small: a played recipe loads it again for every checkpoint.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inverse_instruct.inference.prompts import TEMPLATES
from inverse_instruct.recipes.inversecoder import INVERSE_CODER
from inverse_instruct.recipes.table import RECIPES

ABLATIONS = ("inversecoder-cleaned", "inversecoder-responses")


def is_own(recipe: str, key: str) -> bool:
    """Tell whether a field is of a stage that only this recipe has; what else a stage reads, it has to declare."""
    own = {stage.name for stage in set(RECIPES[recipe].stages) - set(INVERSE_CODER.stages)} - {"selection"}
    return recipe == INVERSE_CODER.name or any(key == name or key.startswith(f"{name}.") for name in own)


def is_main(recipe: str, number: int) -> bool:
    """Tell whether a stage of another recipe, by its place, is one of the main recipe."""
    stages = RECIPES[recipe].stages
    return recipe != INVERSE_CODER.name and number < len(stages) and stages[number] in INVERSE_CODER.stages


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `slow` what changes, in another recipe, a field or a stage about which the main recipe tells.

    So are the kills of the ablations, whose stages are those of other recipes.
    """
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        of_main = ({"finished", "key"} <= params.keys() and not is_own(params["finished"], params["key"])) or (
            {"finished", "number"} <= params.keys() and is_main(params["finished"], params["number"])
        )
        of_main |= item.name.startswith("test_killed_after_every") and params.get("finished") in ABLATIONS
        if of_main:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def tiny_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with its chat template and a byte-level tokenizer of the words of our questions."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("tokenizer*"))
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=control, initial_alphabet=alphabet, show_progress=False)
    texts = [path.read_text() for path in (*TEMPLATES.glob("*.jinja"), Path(__file__))]
    backend.train_from_iterator([*texts, "Yes\nNo\n" * 10], trainer)
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=control[1], eos_token=control[2]).save_pretrained(
        folder
    )
    shutil.copy(tiny_model / "chat_template.jinja", folder)
    return folder

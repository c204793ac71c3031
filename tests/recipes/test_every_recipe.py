"""What holds for each of the recipes: `check` looks at what it has, and a run of it is shown and exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inverse_instruct.config.config_file import load_config
from inverse_instruct.loop import check
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.registry.export import export_checkpoint
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import summarize_run
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import write_world
from tests.recipes.test_other_recipes import every_row


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_of_each_recipe_is_shown_and_exported(tiny_model: Path, tmp_path: Path, name: str) -> None:
    recipe = RECIPES[name]
    config = load_config(write_world(tmp_path, tiny_model, name), ["rounds=1"])
    pin_config(config, RunDir(tmp_path / "run"))
    play(config, tmp_path / "run", faked(recipe))
    first = summarize_run(tmp_path / "run").rounds[1]
    assert first.selected
    assert (first.candidates or 0) >= first.selected or name == "inversecoder-cleaned", "which writes none"
    assert all(isinstance(json.dumps(every_row(tmp_path / "run", number)), str) for number in (0, 1))
    chosen = [row for row in every_row(tmp_path / "run", 1) if "selected" in json.dumps(row)]
    assert chosen and all(row["candidates"] or row["ancestors"] or row["source"] for row in chosen)
    folder, _ = export_checkpoint(tmp_path / "run", "1", tmp_path / "out")
    columns = read_rows(folder / "dataset/train.parquet")[0]
    for card in ((folder / "README.md").read_text(), (folder / "dataset/README.md").read_text()):
        assert recipe.paper and recipe.paper in card
    assert all(f"| `{column}` |" in card for column in columns)


@pytest.mark.parametrize(
    ("recipe", "key", "told"),
    [
        ("inversecoder", "score.template", True),
        ("inversecoder", "summarize.template", True),
        ("inversecoder", "generate.template", False),
        ("wavecoder", "score.template", False),
        ("wavecoder", "summarize.template", True),  # self-consistency asks by it
        ("wavecoder", "generate.template", True),
        ("wavecoder", "generate.judge_template", True),
    ],
)
def test_check_looks_at_the_templates_that_the_recipe_has(tmp_path: Path, recipe: str, key: str, told: bool) -> None:
    config = load_config(write_world(tmp_path, tmp_path, recipe), [f"{key}=nowhere.jinja"])
    assert any(problem.startswith(f"{key}: ") for problem in check._prompt_problems(config)) is told


@pytest.mark.parametrize(("recipe", "told"), [("inversecoder", False), ("wavecoder", True)])
def test_check_looks_at_the_lengths_that_the_recipe_has(tmp_path: Path, recipe: str, told: bool) -> None:
    config = load_config(write_world(tmp_path, tmp_path, recipe), ["generate.max_new_tokens=1024"])
    assert any("generate.max_new_tokens: 1024 tokens" in problem for problem in check._prompt_problems(config)) is told

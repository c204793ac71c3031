"""Configs: every problem at once, with its place; every shipped file loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from inverse_instruct.config.config_file import dump_config, load_config, parse_config
from inverse_instruct.config.section import Section
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ConfigError
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.system.root import ROOT

MINIMAL = {"name": "x", "model": {"base": "m"}, "corpus": [{"path": "c.jsonl"}]}


def write(folder: Path, values: object) -> Path:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_config_loads(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_papers_settings() -> None:
    for name in ("cl-7b", "ds-6.7b"):
        config = load_config(ROOT / "configs" / f"inversecoder-{name}.yaml")
        assert (config.summarize.candidates, config.summarize.temperature) == (10, 0.8)
        assert (config.summarize.repetition_penalty, config.summarize.max_new_tokens) == (1.1, 2048)
        assert [(phase.data, phase.epochs) for phase in config.train.phases] == [("selected", 1), ("original", 2)]
        assert (config.train.optimizer, config.train.learning_rate, config.train.warmup_steps) == (
            "adafactor",
            5e-5,
            15,
        )
        assert (config.train.global_batch_size, config.train.max_length, config.train.max_grad_norm) == (512, 1024, 0)


def test_all_problems_at_once_with_line_key_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: x\nmodel:\n  base: m\n  promt_format: chat\ncorpus: []\nevaluate: {suites: [{suite: humanevl}]}\n"
        "train:\n  learning_rate: -1\n"
        "preprocess:\n  languages: [cobol]\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    problems = caught.value.problems
    assert len(problems) == 5
    assert f"{path}:4: model.promt_format: unknown key; did you mean 'prompt_format'?" in problems
    assert any(problem.startswith(f"{path}:8: train.learning_rate: ") and "-1" in problem for problem in problems)
    assert any("evaluate.suites.0: there is no suite 'humanevl'; did you mean 'humaneval'?" in one for one in problems)
    assert any("cobol" in problem and "python" in problem for problem in problems)
    assert any(problem.startswith(f"{path}:5: corpus") for problem in problems)


def test_overrides_win_and_reach_into_lists(tmp_path: Path) -> None:
    overrides = ["rounds=3", "train.lora.rank=4", "corpus.0.limit=7"]
    config = load_config(write(tmp_path, MINIMAL), overrides)
    assert config.rounds == 3 and config.train.lora and config.train.lora.rank == 4 and config.corpus[0].limit == 7


@pytest.mark.parametrize("override", ["rounds", "corpus.5.path=x", "name.x=1", "rounds=[1", "nonsense=1"])
def test_bad_overrides_are_named(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="nonsense" if "nonsense" in override else "--set"):
        load_config(write(tmp_path, MINIMAL), [override])


def test_round_zero_needs_something_to_train_on(tmp_path: Path) -> None:
    values = MINIMAL | {"train": {"phases": [{"data": "selected", "epochs": 1}]}}
    with pytest.raises(ConfigError, match="model.start is null"):
        load_config(write(tmp_path, values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "a: [",
        "\x00",
        "{" * 5000,
        "- " * 5000,
        "[" * 40 + "]" * 40,
        "a: 0x" + "f" * 500,
        "a: " + "1:" * 300 + "1.5",
    ],
)
def test_not_a_config(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_config(path)


def test_dump_and_load_agree_and_paths_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("{}\n")
    config = load_config(write(tmp_path, MINIMAL))
    assert config.corpus[0].path == str(tmp_path / "c.jsonl")
    again = tmp_path / "elsewhere" / "run.yaml"
    again.parent.mkdir()
    again.write_text(dump_config(config))
    assert load_config(again) == config


def test_every_field_has_a_doc_line() -> None:
    sections: list[type[Section]] = [RunConfig, *Section.__subclasses__()]
    assert len(sections) > 10
    bare = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert bare == []


def test_the_recipes_of_the_table_are_those_that_a_config_may_name() -> None:
    assert set(get_args(RunConfig.model_fields["recipe"].annotation)) == RECIPES.keys()


def test_settings_of_wavecoder() -> None:
    config = load_config(ROOT / "configs" / "wavecoder-ds-6.7b.yaml")
    shares = config.generate.shares.model_dump()
    assert [round(100 * rows / 19_915, 1) for rows in (11_370, 3_165, 3_144, 2_236)] == list(shares.values())
    assert (config.generate.temperature, config.generate.max_new_tokens, config.generate.reply) == (1.0, 512, "block")
    assert [(phase.data, phase.epochs) for phase in config.train.phases] == [("selected", 3)]
    assert (config.train.learning_rate, config.train.warmup_steps, config.train.global_batch_size) == (5e-5, 15, 512)
    assert (config.train.optimizer, config.train.max_length) == ("adafactor", 2048)


def test_instructcoder_has_the_settings_of_its_paper() -> None:
    config = load_config(ROOT / "configs" / "instructcoder-cl-7b.yaml")
    bootstrap, lora = config.bootstrap, config.train.lora
    assert (bootstrap.seeds, bootstrap.generated, bootstrap.rouge, len(bootstrap.intents)) == (7, 1, 0.7, 26)
    assert (bootstrap.temperature, bootstrap.top_p, bootstrap.presence_penalty) == (0.7, 0.5, 1.5)
    assert (config.scenarios.scenarios, config.scenarios.shots, config.instances.shots) == (10, 2, 4)
    assert config.instances.near_duplicate_threshold == 0.75
    assert lora and (lora.rank, lora.dropout) == (16, 0.05)
    assert lora.target_modules == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert (config.train.learning_rate, config.train.global_batch_size, config.train.max_length) == (3e-4, 128, 1024)
    assert [(phase.data, phase.epochs) for phase in config.train.phases] == [("mixed", 3)]
    assert [suite.suite for suite in config.evaluate.suites] == ["editeval"]


@pytest.mark.parametrize(("tree", "problem"), [
    ({"recipe": "instructcoder"}, "seeds: names neither repositories nor files"),
    ({"recipe": "inversecoder"}, "corpus: names no source"),
    ({"recipe": "wavecoder", "corpus": []}, "corpus: names no source"),
])  # fmt: skip
def test_each_recipe_needs_what_it_begins_with(tree: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_config({"name": "x", "model": {"base": "m", "start": "m"}} | tree)

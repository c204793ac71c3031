"""What `check` promises beyond the refusals of stages: notes, lengths, disk, the run's folder, and no trace left."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml

from inverse_instruct.benchmarks.suite_data import load_suite_here
from inverse_instruct.config.config_file import load_config, read_config
from inverse_instruct.errors import ConfigError
from inverse_instruct.loop import check
from inverse_instruct.loop.check import check_file, check_read
from inverse_instruct.loop.pinned_config import pin_config, pin_models
from inverse_instruct.store.run_dir import RunDir
from tests.loop.conftest import problems_of

Usage = namedtuple("Usage", "total used free")


def notes_of(folder: Path, world: dict[str, Any]) -> str:
    (folder / "run.yaml").write_text(yaml.safe_dump(world))
    return "\n".join(check_file(folder / "run.yaml", [], folder / "run")[1].notes)


@pytest.fixture
def on_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that has everything, and an empty cache."""
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: None)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))


# -- the problems ----------------------------------------------------------------------------------------------------


def test_problems_of_the_file_and_of_the_world_come_together_in_the_order_of_the_lines(
    tmp_path: Path, world: dict[str, Any]
) -> None:
    world |= {"train": {"micro_batch": 1}, "corpus": [{"path": "none.jsonl"}], "zeal": 3}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(world, sort_keys=False))
    lines = path.read_text().splitlines()
    with pytest.raises(ConfigError) as caught:
        check_file(path, [], tmp_path / "run")
    places = {"corpus.0.path": "- path: none.jsonl", "train.micro_batch": "  micro_batch: 1", "zeal": "zeal: 3"}
    expected = [f"{path}:{lines.index(line) + 1}: {key}: " for key, line in places.items()]
    assert len(caught.value.problems) == 3
    assert all(map(str.startswith, caught.value.problems, expected)), caught.value.problems


def test_a_problem_is_said_once(tmp_path: Path, world: dict[str, Any]) -> None:
    world["inference"] = {"max_num_seqs": 5000}  # both models would not fit
    found = problems_of(tmp_path, world)
    assert len(found) == len(set(found)) == 1 and "inference.max_num_seqs" in found[0]


def test_what_cannot_be_made_a_config_has_its_own_problems_only(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("[1, 2]")
    with pytest.raises(ConfigError, match="run.yaml"):
        check_read(read_config(tmp_path / "run.yaml"), None)


def test_overrides_are_checked_like_the_file(tmp_path: Path, world: dict[str, Any]) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(world))
    config, _ = check_file(tmp_path / "run.yaml", ["seed=4"], tmp_path / "run")
    assert config.seed == 4
    with pytest.raises(ConfigError, match="corpus.0.path: .*none.jsonl"):
        check_file(tmp_path / "run.yaml", ["corpus.0.path=none.jsonl"], tmp_path / "run")


@pytest.mark.parametrize("key", ["summarize", "evaluate.suites.0"])
@pytest.mark.parametrize(("tokens", "fits"), [(1023, True), (1024, False), (2000, False)])
def test_a_reply_must_leave_room_for_the_prompt(
    tmp_path: Path, world: dict[str, Any], key: str, tokens: int, fits: bool
) -> None:
    section = world["summarize"] if key == "summarize" else world["evaluate"]["suites"][0]
    section["max_new_tokens"] = tokens
    said = f"{key}.max_new_tokens: {tokens} tokens leave no room for a prompt in model.max_model_len 1024"
    found = problems_of(tmp_path, world)
    assert found == [] if fits else len(found) == 1 and said in found[0]


def test_a_program_that_is_none_is_named(tmp_path: Path, world: dict[str, Any]) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\n")
    world["evaluate"]["python"] = "python"
    assert any(f"evaluate.python: {tmp_path / 'python'} is no program" in each for each in problems_of(tmp_path, world))
    (tmp_path / "python").chmod(0o755)
    assert not any("is no program" in problem for problem in problems_of(tmp_path, world))


def test_held_out_rows_decide_nothing_so_another_suite_must(tmp_path: Path, world: dict[str, Any]) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"instruction": "Say it.", "response": "It."}))
    held_out = {"suite": "held_out", "data": "rows.jsonl"}
    world["evaluate"]["suites"].append(held_out)
    assert not problems_of(tmp_path, world)
    world["evaluate"]["suites"] = [held_out]
    [problem] = problems_of(tmp_path, world)
    assert "run.yaml:4: evaluate.suites: held_out has no tests" in problem


def test_a_suite_of_which_nothing_can_be_measured_is_a_problem_and_of_which_a_part_can_is_none(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = load_config(write(tmp_path, world)).evaluate.suites[0]
    suite = load_suite_here(section.suite, section.data)
    lacking = dict.fromkeys(suite.task_ids, "no compiler")
    for missing, problems in ((lacking, 1), (dict(list(lacking.items())[1:]), 0)):
        monkeypatch.setattr(type(suite), "not_measured", lambda *_, missing=missing: missing)
        found = problems_of(tmp_path, world)
        assert len(found) == problems
        assert all("evaluate.suites.0.suite: nothing of mini can be measured here: no comp" in each for each in found)
    world["evaluate"]["suites"][0]["limit"] = 1  # of the only task that is asked for, it is missing
    monkeypatch.setattr(type(suite), "not_measured", lambda *_: dict(list(lacking.items())[:1]))
    assert len(problems_of(tmp_path, world)) == 1


def write(folder: Path, world: dict[str, Any]) -> Path:
    (folder / "run.yaml").write_text(yaml.safe_dump(world))
    return folder / "run.yaml"


def test_a_port_is_looked_at_only_where_a_server_is_started(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(check, "free_port", asked.append)
    for inference, ports in (({}, []), ({"port": 4000}, [4000]), ({"port": 4000, "endpoints": ["http://a/v1"]}, [])):
        asked.clear()
        problems_of(tmp_path, world | {"inference": inference})
        assert asked == ports


# -- the run's folder ------------------------------------------------------------------------------------------------


def test_a_run_of_the_configs_name_is_looked_at_where_no_folder_is_given(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, world)
    check_file(path, [], None)
    run_dir = RunDir(Path("runs/x"))
    run_dir.path.mkdir(parents=True)
    pin_config(load_config(path, ["seed=5"]), run_dir)
    with pytest.raises(ConfigError, match="runs/x was started with another config .seed differ"):
        check_file(path, [], None)


def test_models_other_than_the_run_was_started_with_are_told_before_it_goes_on(
    tmp_path: Path, world: dict[str, Any]
) -> None:
    path = write(tmp_path, world)
    run_dir = RunDir(tmp_path / "run")
    run_dir.path.mkdir()
    pin_config(load_config(path), run_dir)
    pin_models(dict.fromkeys(("model.base", "model.start"), tmp_path / "model"), run_dir)
    assert problems_of(tmp_path, world) == []
    del world["model"]["start"]
    assert ["model.start: the run was started with one" in each for each in problems_of(tmp_path, world)] == [True]
    world["model"]["start"] = "model"
    (tmp_path / "model/generation_config.json").write_text('{"eos_token_id": 1}')
    assert ["model.base: the files in" in problem for problem in problems_of(tmp_path, world)] == [True]
    shutil.rmtree(tmp_path / "model")
    assert not any("--run-dir" in each for each in problems_of(tmp_path, world)), "that there is none is enough"


def test_what_a_run_has_written_needs_no_room_again(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, world)
    needed = check_file(path, [], tmp_path / "run")[1].disk_bytes
    assert needed > 10
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, needed - 10))
    assert any("has 0.0 GB free and the run needs about" in problem for problem in problems_of(tmp_path, world))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/written").write_bytes(b"x" * 10)
    assert problems_of(tmp_path, world) == []


# -- the notes, and no trace -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("on_hub")
def test_what_will_be_downloaded_is_noted_and_is_no_problem(tmp_path: Path, world: dict[str, Any]) -> None:
    assert notes_of(tmp_path, world) == ""
    world["model"] = {"base": "someone/a-model", "start": "model", "max_model_len": 1024}
    world["corpus"] = [{"path": "corpus.jsonl"}, {"path": "someone/rows"}]
    world["evaluate"] = {"suites": [{"suite": "humaneval", "max_new_tokens": 64}]}
    notes = notes_of(tmp_path, world)
    assert "model.base: someone/a-model is not here yet and will be downloaded" in notes
    assert "corpus: the size of someone/rows is not known before it is read" in notes
    assert "evaluate.suites.0: " in notes and "will be downloaded; its tasks are not known before" in notes


@pytest.mark.usefixtures("on_hub")
def test_a_model_of_ours_that_is_not_fetched_says_the_command(
    tmp_path: Path, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVERSE_INSTRUCT_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "store"))
    world["model"]["base"] = "smollm2-135m"
    found = problems_of(tmp_path, world)
    assert any("run: inverse-instruct fetch-model smollm2-135m" in problem for problem in found), found


def test_a_corpus_whose_first_rows_give_nothing_is_noted(tmp_path: Path, world: dict[str, Any]) -> None:
    world["preprocess"]["min_characters"] = 5000
    assert "corpus: none of 1 rows gives a snippet (too_short 1)" in notes_of(tmp_path, world)


def test_a_look_leaves_no_trace(tmp_path: Path, world: dict[str, Any]) -> None:
    path = write(tmp_path, world)
    before = sorted(os.walk(tmp_path))
    check_file(path, [], tmp_path / "deep/down/run")
    assert sorted(os.walk(tmp_path)) == before

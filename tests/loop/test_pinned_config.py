"""What a run is started with is written once; a later start that does not fit is refused, and changes nothing."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from inverse_instruct import __version__
from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ConfigError, RunDirError
from inverse_instruct.inference.models import model_digest
from inverse_instruct.loop import pinned_config
from inverse_instruct.loop.pinned_config import (
    check_config,
    check_models,
    check_ranks,
    pin_config,
    pin_models,
    pin_ranks,
    with_date,
)
from inverse_instruct.store.run_dir import RunDir

TODAY = date.today()


def config(**sections: Any) -> RunConfig:
    return parse_config({"name": "x", "model": {"base": "a-model"}, "corpus": [{"path": "c.jsonl"}]} | sections)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# -- the config ------------------------------------------------------------------------------------------------------


def test_a_look_at_a_run_writes_nothing(tmp_path: Path) -> None:
    assert check_config(config(), RunDir(tmp_path)).model.template_date == TODAY
    check_ranks(config(train={"processes": 2}), RunDir(tmp_path))
    check_models({}, RunDir(tmp_path))
    assert contents(tmp_path) == {}


def test_the_config_is_written_resolved_with_the_version_and_comes_back(tmp_path: Path) -> None:
    pinned = pin_config(config(seed=3), RunDir(tmp_path))
    text = (tmp_path / "run.yaml").read_text()
    assert text.startswith(f"# inverse-instruct {__version__}\n")
    assert load_config(tmp_path / "run.yaml") == pinned
    assert (pinned.seed, pinned.model.template_date) == (3, TODAY)
    assert pinned.corpus[0].path == config().corpus[0].path and "micro_batch_size" in text, "defaults are said, too"


def test_a_later_start_writes_what_it_may_change(tmp_path: Path) -> None:
    pin_config(config(rounds=1), RunDir(tmp_path))
    pin_config(config(rounds=4), RunDir(tmp_path))
    assert load_config(tmp_path / "run.yaml").rounds == 4


def test_a_refused_start_names_every_section_that_differs_and_leaves_the_config(tmp_path: Path) -> None:
    pin_config(config(), RunDir(tmp_path))
    before = contents(tmp_path)
    other = config(seed=1, selection={"method": "random"}, train={"global_batch_size": 8})
    for look in (check_config, pin_config):
        with pytest.raises(RunDirError, match=r"another config \((.*) differ\); choose another --run-dir") as caught:
            look(other, RunDir(tmp_path))
        assert str(tmp_path) in str(caught.value)
        assert all(name in str(caught.value) for name in ("seed", "selection", "train"))
        assert "summarize" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["{", "name: [", "seed: none\n", "- a list\n", "\0", "corpus: []\n"])
def test_a_config_that_cannot_be_read_is_told_and_left(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    for look in (check_config, pin_config):
        with pytest.raises(ConfigError, match="run.yaml"):
            look(config(), RunDir(tmp_path))
    assert (tmp_path / "run.yaml").read_text() == text


def test_the_date_is_ones_own_else_the_other_ones_else_todays() -> None:
    first, second = (config(model={"base": "b", "template_date": f"202{n}-01-01"}) for n in (1, 2))
    assert with_date(first, second) == with_date(first, None) == first
    assert with_date(config(model={"base": "b"}), second) == second
    for other in (None, config()):
        assert with_date(config(), other).model.template_date == TODAY
    undated = config()
    with_date(undated, second)
    assert undated.model.template_date is None, "the config that is given stays as it is"


# -- the ranks -------------------------------------------------------------------------------------------------------


def test_ranks_are_written_only_where_they_decide(tmp_path: Path) -> None:
    pin_ranks(config(train={"processes": 3, "optimizer": "adamw"}), RunDir(tmp_path))
    check_ranks(config(train={"optimizer": "adamw", "hostfile": "none"}), RunDir(tmp_path))  # no look at the hostfile
    assert contents(tmp_path) == {}
    pin_ranks(config(train={"processes": 3}), RunDir(tmp_path))
    assert json.loads((tmp_path / "ranks.json").read_text()) == {"ranks": 3}


def test_ranks_that_differ_are_refused_and_the_pinned_ones_stay(tmp_path: Path) -> None:
    pin_ranks(config(train={"processes": 3}), RunDir(tmp_path))
    for look in (check_ranks, pin_ranks):
        with pytest.raises(RunDirError, match="started with 3 ranks, now there are 2.*give it 3"):
            look(config(train={"processes": 2}), RunDir(tmp_path))
    assert json.loads((tmp_path / "ranks.json").read_text()) == {"ranks": 3}


def test_ranks_are_the_gpus_or_the_slots_unless_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned_config, "gpu_count", lambda: 4)
    pin_ranks(config(), RunDir(tmp_path))
    (tmp_path / "hosts").write_text("a slots=3\nb slots=1\n")
    pin_ranks(config(train={"hostfile": str(tmp_path / "hosts")}), RunDir(tmp_path))
    (tmp_path / "hosts").write_text("a slots=3\nb slots=2\n")
    with pytest.raises(RunDirError, match="started with 4 ranks, now there are 5"):
        pin_ranks(config(train={"hostfile": str(tmp_path / "hosts")}), RunDir(tmp_path))
    with pytest.raises(ConfigError, match="train.hostfile"):
        check_ranks(config(train={"hostfile": str(tmp_path / "none")}), RunDir(tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"ranks": "many"}', '{"ranks": null}', "3", '{"ranks": [3]}'])
def test_damaged_ranks_are_told_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "ranks.json").write_text(text)
    with pytest.raises(RunDirError, match=r"ranks.json is damaged \(.*remove it if the number of ranks is unchanged"):
        pin_ranks(config(train={"processes": 2}), RunDir(tmp_path))
    assert (tmp_path / "ranks.json").read_text() == text


# -- the models ------------------------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """The folders of two models beside the run's, `run`."""
    (tmp_path / "run").mkdir()
    folders = {"model.base": tmp_path / "base", "model.start": tmp_path / "start"}
    for number, folder in enumerate(folders.values()):
        folder.mkdir()
        save_file({"weight": np.full((2, 2), number, np.float32)}, folder / "model.safetensors")
        (folder / "config.json").write_text("{}")
    return folders


def test_models_are_written_by_their_digests_and_may_move(tmp_path: Path, models: dict[str, Path]) -> None:
    pin_models(models, RunDir(tmp_path / "run"))
    digests = {key: model_digest(folder) for key, folder in models.items()}
    assert json.loads((tmp_path / "run" / "models.json").read_text()) == digests
    assert digests["model.base"] != digests["model.start"]
    moved = models | {"model.base": models["model.base"].rename(tmp_path / "elsewhere")}
    pin_models(moved, RunDir(tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "models.json").read_text()) == digests


@pytest.mark.parametrize("key", ["model.base", "model.start"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "more.safetensors"])
def test_a_model_whose_files_have_changed_is_named(
    tmp_path: Path, models: dict[str, Path], key: str, name: str
) -> None:
    run_dir = RunDir(tmp_path / "run")
    pin_models(models, run_dir)
    before = contents(run_dir.path)
    path = models[key] / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x01" if path.exists() else b"{}")
    for look in (check_models, pin_models):
        with pytest.raises(RunDirError, match=f"^{key}: the files in {models[key]} have changed.*put back the files"):
            look(models, run_dir)
    assert contents(run_dir.path) == before


@pytest.mark.parametrize(("first", "second", "says"), [(2, 1, "with one"), (1, 2, "without one")])
def test_a_model_that_comes_or_goes_is_another_run(
    tmp_path: Path, models: dict[str, Path], first: int, second: int, says: str
) -> None:
    run_dir = RunDir(tmp_path / "run")
    pin_models(dict(list(models.items())[:first]), run_dir)
    before = contents(run_dir.path)
    with pytest.raises(RunDirError, match=f"model.start: the run was started {says}; leave it as it was"):
        pin_models(dict(list(models.items())[:second]), run_dir)
    assert contents(run_dir.path) == before, "what is pinned stays pinned"


@pytest.mark.parametrize("content", [b"{", b"[]", b"3", b"\xff"])
def test_damaged_digests_are_told_with_the_remedy(tmp_path: Path, models: dict[str, Path], content: bytes) -> None:
    (tmp_path / "run" / "models.json").write_bytes(content)
    with pytest.raises(RunDirError, match=r"models.json is damaged \(.*remove it if model.base, model.start are unch"):
        pin_models(models, RunDir(tmp_path / "run"))
    assert os.listdir(tmp_path / "run") == ["models.json"]

"""The variants of a study share what has equal keys, and are compared with the baseline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.study_file import Study, load_study
from inverse_instruct.dashboard.study_page import write_study_page
from inverse_instruct.errors import ConfigError, StageError
from inverse_instruct.loop import runner
from inverse_instruct.loop.study import RESULTS, play_study
from inverse_instruct.loop.study_results import read_results
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Stage
from inverse_instruct.system.root import ROOT
from tests.recipes.fake_engine import Killed, faked, play

CODE = "def scale_{0}(number):\n    product = number * {0}\n    return product + {0}\n"
VARIANTS: dict[str, dict[str, Any]] = {
    "best": {},
    "random": {"selection.method": "random", "selection.min_score": 0.01},
    "three": {"summarize.candidates": 3},
    "longer": {"train.learning_rate": 1e-6},
}


def write_study(folder: Path, model: Path, variants: dict[str, dict[str, Any]], **more: Any) -> Path:
    rows = [{"instruction": f"Scale by {n}.", "output": f"```python\n{CODE.format(n)}```"} for n in range(2, 6)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "name": "x",
        "corpus": [{"path": "corpus.jsonl"}],
        "model": {"base": str(model), "start": str(model), "max_model_len": 1024},
        "preprocess": {"near_duplicate_threshold": 1.0},
        "summarize": {"candidates": 2, "max_new_tokens": 64},
        "evaluate": {"suites": [{"suite": "mini", "limit": 1, "max_new_tokens": 32}]},
        "train": {"optimizer": "adamw"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    study = {"name": "s", "config": "run.yaml", "baseline": "best", "variants": variants} | more
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return folder / "study.yaml"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is played from now on, as `variant round stage`."""
    names: list[str] = []
    furnish = runner.Runner._room

    def noted(self: Any, stage: Stage, at: Any, wanted: runner.Work) -> Room:
        names.append(f"{self._run_dir.path.name} {at.round} {stage.name}")
        return furnish(self, stage, at, wanted)

    monkeypatch.setattr(runner.Runner, "_room", noted)
    return names


def with_fake_engine(lives: int | None = None) -> Callable[..., None]:
    def played(config: RunConfig, folder: Path, others: Sequence[Path]) -> None:
        play(config, folder, faked(RECIPES[config.recipe]), lives, others)

    return played


def test_each_stage_of_equal_key_is_done_once(tmp_path: Path, tiny_model: Path, played: list[str]) -> None:
    study = load_study(write_study(tmp_path, tiny_model, VARIANTS))
    results = play_study(study, tmp_path / "runs", with_fake_engine())
    assert [name for name in played if name.startswith("best")] == [
        "best 0 preprocess", "best 0 evaluate", "best 0 promote", "best 1 summarize", "best 1 score",
        "best 1 discern", "best 1 selection", "best 1 train", "best 1 evaluate", "best 1 promote",
    ]  # fmt: skip
    stages = {variant: [name.split()[2] for name in played if name.startswith(variant)] for variant in VARIANTS}
    assert stages["random"] == ["selection", "train"], "its checkpoint has the weights of the other, as nothing trains"
    assert stages["longer"] == ["train"]
    assert "preprocess" not in stages["three"] and {"summarize", "score", "selection"} <= set(stages["three"])
    assert [(row.variant, row.rows, row.against is None) for row in results.variants] == [
        ("best", 4, True), ("random", 4, False), ("three", 4, False), ("longer", 4, False),
    ]  # fmt: skip
    assert json.loads((tmp_path / "runs" / RESULTS).read_text()) == json.loads(json.dumps(results.as_json()))
    own, shared = (tmp_path / "runs" / name / "round-00/preprocess/snippets.parquet" for name in ("best", "longer"))
    assert own.samefile(shared)

    played.clear()
    assert play_study(study, tmp_path / "runs", with_fake_engine()) == results
    assert not played, "a finished study is read, not played"
    shutil.rmtree(tmp_path / "runs/best")
    play_study(study, tmp_path / "runs", with_fake_engine())
    assert {name.split()[0] for name in played} <= {"best"}
    assert {name.split()[2] for name in played} <= {"selection", "train"}, "the others still have the rest"


def test_a_killed_study_goes_on(tmp_path: Path, tiny_model: Path, played: list[str]) -> None:
    study = load_study(write_study(tmp_path, tiny_model, VARIANTS))
    with pytest.raises(Killed):
        play_study(study, tmp_path / "runs", with_fake_engine(lives=5))
    assert "best 1 selection" not in played
    results = play_study(study, tmp_path / "runs", with_fake_engine())
    whole = play_study(study, tmp_path / "whole", with_fake_engine())
    assert [(row.variant, row.rows, row.against) for row in results.variants] == [
        (row.variant, row.rows, row.against) for row in whole.variants
    ]


def test_a_variant_that_fails_keeps_none_of_the_others_back(tmp_path: Path, tiny_model: Path) -> None:
    variants = {"best": {}, "nothing": {"selection.min_score": 1.0}, "longer": {"train.learning_rate": 1e-6}}
    study = load_study(write_study(tmp_path, tiny_model, variants))
    with pytest.raises(StageError, match=r"1 of 3 variants failed: nothing"):
        play_study(study, tmp_path / "runs", with_fake_engine())
    results = json.loads((tmp_path / "runs" / RESULTS).read_text())
    best, nothing, longer = results["variants"]
    assert "selection.min_score" in nothing["failure"] and nothing["against"] is None
    assert longer["against"]["gained"] + longer["against"]["lost"] <= 1 and best["failure"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"baseline": "worst"}, "baseline 'worst' is none of the variants: best, random, three, longer"),
        ({"variants": {"best": {}}}, "variants: dictionary should have at least 2 items"),
        ({"variants": {"best": {}, "../x": {}}}, "'../x' cannot name a folder"),
        ({"variants": {"best": {}, "b": {"summarise.k": 1}}}, "summarise: unknown key; did you mean 'summarize'?"),
        ({"config": "none.yaml"}, "none.yaml: cannot be read"),
        ({"variant": {}}, "variant: unknown key; did you mean 'variants'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write_study(tmp_path, tmp_path, **({"variants": VARIANTS} | changes))
    with pytest.raises(ConfigError) as raised:
        load_study(path)
    assert said in str(raised.value)
    assert "study.yaml:" in str(raised.value) or "none.yaml" in said


@pytest.mark.parametrize("path", sorted((ROOT / "configs/studies").glob("*.yaml")), ids=lambda path: str(path.stem))
def test_the_studies_that_ship_are_whole(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem and len(study.variants) > 2
    assert all(config.rounds == (2 if study.name == "rounds" else 1) for config in study.variants.values())


def test_the_page_escapes_what_it_shows(tmp_path: Path) -> None:
    report = {"pass_at_k": {"1": {"base": {"rate": 0.5, "low": 0.25, "high": 0.75}, "plus": None}}}
    against = {"difference": 0.1, "low": -0.05, "high": 0.2, "gained": 3, "lost": 1, "p": 0.625, "p_holm": 1.0}
    row = {"variant": "a", "changes": {"x": "<script>"}, "failure": "<b>", "rows": None, "suites": {"mini": report}}
    results = {"study": "s<i>", "baseline": "a", "variants": [row | {"against": None}, row | {"against": against}]}
    results["claims"] = []
    write_study_page(results, tmp_path / "study.html")
    page = (tmp_path / "study.html").read_text()
    assert "<script>" not in page and "s<i>" not in page and "&lt;script&gt;" in page
    assert "+10.0" in page and "50.0" in page


def test_nothing_is_compared_before_the_baseline_is_measured(tmp_path: Path) -> None:
    study = Study("s", "a", {}, {}, {})
    assert read_results(study, tmp_path, {}).variants == ()

"""Benchmarks are kept out by name, or as files; what they say decides the keys of stages, not where they lie."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.origins import OnHub
from evaluation.suites import FAMILIES, SUITES
from inverse_instruct.benchmarks import kept_out
from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import StageError
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.select import SELECT

TASK = {
    "task_id": "EditEval/1",
    "instruction": "Turn the harbor chart by a quarter and keep its lighthouses.",
    "context": "",
    "input": "def turn(chart):\n    return chart",
    "output": "def turn(chart):\n    return chart.rotated(90)",
    "test": "def check():\n    pass",
}


def config(benchmarks: Any = "unset", *suites: dict[str, Any]) -> RunConfig:
    tree: dict[str, Any] = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}
    tree |= {"preprocess": {"benchmarks": benchmarks}} if benchmarks != "unset" else {}
    tree |= {"evaluate": {"suites": list(suites)}} if suites else {}
    return parse_config(tree)


@pytest.fixture
def editeval(tmp_path: Path) -> Path:
    path = tmp_path / "edit_eval.jsonl"
    path.write_text(json.dumps(TASK) + "\n")
    return path


def names(settings: RunConfig) -> list[str]:
    return [benchmark.name for benchmark in settings.kept_out]


@pytest.mark.parametrize(
    ("benchmarks", "expected"),
    [
        ("unset", ["mini"]),
        (None, ["mini"]),
        ([], []),
        (["humaneval", "mini", "humaneval"], ["humaneval", "mini"]),
        (["HumanEval", "MBPP+", "DS-1000"], ["humaneval", "mbpp_plus", "ds1000"]),
        (["multipl-e"], [f"multipl_e_{language}" for language in ("java", "js", "cpp", "php", "swift", "rust")]),
        (["MultiPL-E", "multipl_e_js"], [group[0] for group in FAMILIES["multipl_e"]]),
        (["HumanEvalPack"], [group[0] for group in FAMILIES["humanevalpack"]]),
        (["./mbpp", "files/mbpp.jsonl"], ["./mbpp", "files/mbpp.jsonl"]),
    ],
)
def test_names_of_suites_and_files(benchmarks: Any, expected: list[str]) -> None:
    assert names(config(benchmarks)) == expected


def test_a_suite_is_read_from_where_it_is_evaluated_from() -> None:
    measured = {"suite": "humanevalexplain_go", "data": "pack/go.jsonl"}
    settings = config(["humanevalpack", "editeval"], measured, {"suite": "editeval", "data": "e.jsonl"})
    found = {benchmark.name: benchmark.data for benchmark in settings.kept_out}
    assert found["humanevalexplain_go"] == "pack/go.jsonl" and found["editeval"] == "e.jsonl"
    assert len(found) == 7 and found["humanevalfix_rust"] is None
    assert names(config(None, measured, {"suite": "ds1000"})) == ["humanevalexplain_go", "ds1000"]


def test_texts_of_a_suite_and_of_its_file_count_once(editeval: Path) -> None:
    by_name = config(["editeval"], {"suite": "editeval", "data": str(editeval)})
    by_folder = config(["editeval"], {"suite": "editeval", "data": str(editeval.parent)})
    both = config(["editeval", str(editeval)], {"suite": "editeval", "data": str(editeval)})
    assert kept_out_digests(by_name) == kept_out_digests(by_folder) == kept_out_digests(both)
    assert [task.task for texts in read_kept_out(both.kept_out) for task in texts] == ["EditEval/1"]


@pytest.mark.parametrize("stage", [PREPROCESS, SELECT], ids=lambda stage: stage.name)
def test_keys_hold_what_is_kept_out(editeval: Path, tmp_path: Path, stage: Any) -> None:
    def key(settings: RunConfig) -> str:
        return make_key(stage, settings, [], None)

    measured = {"suite": "editeval", "data": str(editeval)}
    before = key(config(None, measured))
    assert before == key(config(None, measured | {"limit": 1, "temperature": 0.5})), "how it is asked is no matter"
    packed = tmp_path / "elsewhere.jsonl.gz"
    packed.write_bytes(gzip.compress(editeval.read_bytes()))
    assert before == key(config(None, measured | {"data": str(packed)})), "nor is where it lies"
    assert before != key(config(None, measured, {"suite": "mini"}))
    editeval.write_text(json.dumps(TASK | {"instruction": "Turn it by a half."}) + "\n")
    assert before != key(config(None, measured)), "its texts are"
    editeval.write_text(json.dumps(TASK | {"output": "def turn(chart): ..."}) + "\n")
    assert before != key(config(None, measured)), "and its solutions"
    editeval.write_text(json.dumps(TASK | {"test": "def check():\n    assert 1"}) + "\n")
    assert before == key(config(None, measured)), "its tests are not looked for"


@pytest.mark.parametrize(
    ("benchmark", "words"),
    [
        ("humanevl", "humanevl: there is no such file; did you mean the suite 'humaneval'"),
        ("none.jsonl", "none.jsonl: there is no such file"),
        ("editeval", "editeval: no data is given: name a file or a folder that holds edit_eval.jsonl"),
        ("mbpp+", "mbpp_plus: no data is given: name a file or a folder that holds MbppPlus.jsonl"),
    ],
)
def test_what_is_not_there_is_told_as_evaluation_tells_it(benchmark: str, words: str) -> None:
    with pytest.raises(StageError, match=words.replace("(", r"\(")):
        kept_out_digests(config([benchmark]))


def test_the_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str, data: str | None) -> Any:
        asked.append(name)
        return SUITES["mini"](None)

    monkeypatch.setattr(kept_out, "load_suite", load)
    kept_out._without_data.cache_clear()
    for _ in range(3):
        kept_out_digests(config(["ds1000", "humaneval"]))
    kept_out._without_data.cache_clear()
    assert asked == ["ds1000", "humaneval"]


def test_what_is_on_the_hub_is_not_fetched_to_look() -> None:
    with pytest.raises(OnHub, match="openai/openai_humaneval"):
        kept_out.texts_here(config(["humaneval"]).kept_out[0])

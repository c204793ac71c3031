"""`check` says which benchmarks cannot be kept out, and which measured ones are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.loop.check_kept_out import kept_out_problems
from tests.benchmarks.test_kept_out import TASK

ROOT = Path(__file__).resolve().parents[2]


def looked_at(benchmarks: Any, *suites: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the problems and the notes."""
    tree: dict[str, Any] = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}
    tree |= {"preprocess": {"benchmarks": benchmarks}, "evaluate": {"suites": list(suites)}}
    notes: list[str] = []
    return list(kept_out_problems(parse_config(tree), notes)), notes


@pytest.fixture
def suites(tmp_path: Path) -> list[dict[str, Any]]:
    rows = [TASK, TASK | {"task_id": "EditEval/2", "instruction": "Turn it back."}]
    (tmp_path / "edit_eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [{"suite": "editeval", "data": str(tmp_path)}]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A hub that does not answer, and the names that it is asked for."""
    asked: list[str] = []

    def repo_info(_: Any, name: str, **options: Any) -> None:
        asked.append(name)
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    return asked


def test_measured_suites_are_kept_out_by_default(suites: list[dict[str, Any]]) -> None:
    assert looked_at(None, *suites, {"suite": "mini"}) == ([], [])


@pytest.mark.parametrize("benchmarks", [[], ["mini"]])
def test_a_measured_suite_that_is_not_kept_out_is_named(suites: list[dict[str, Any]], benchmarks: list[str]) -> None:
    problems, notes = looked_at(benchmarks, {"suite": "mini"}, *suites)
    assert problems == []
    assert notes[-1].startswith("evaluate.suites.1: editeval is measured, but is not kept out of the training data;")
    assert "add editeval to preprocess.benchmarks" in notes[-1] and len(notes) == 2 - len(benchmarks)


def test_a_suite_that_is_kept_out_as_a_file_is_kept_out(suites: list[dict[str, Any]], tmp_path: Path) -> None:
    assert looked_at([str(tmp_path / "edit_eval.jsonl")], *suites) == ([], [])
    (tmp_path / "less.jsonl").write_text(json.dumps(TASK) + "\n")
    _, notes = looked_at([str(tmp_path / "less.jsonl")], *suites)
    assert [note.partition(" of the")[0] for note in notes] == [
        "evaluate.suites.0: editeval is measured, but 1 of its 2 tasks are not kept out"
    ]


def test_suites_of_which_nothing_is_here_go_by_their_names(hub: list[str]) -> None:
    _, notes = looked_at(["mini"], {"suite": "humaneval"})
    assert [note.partition(";")[0] for note in notes] == [
        "evaluate.suites.0: humaneval is measured but not kept out of the training data"
    ]
    assert looked_at(["humaneval"], {"suite": "humaneval"}) == ([], []), "it is for `evaluate.suites` to say"
    assert hub == []


def test_what_is_missing_is_said_once_for_each_place(hub: list[str]) -> None:
    problems, _ = looked_at(["MultiPL-E", "ds1000", "none.jsonl", "mbpp_plus"], {"suite": "mini"})
    assert [problem.partition(" is not in the cache")[0].partition("; name")[0] for problem in problems] == [
        "preprocess.benchmarks: none.jsonl: none.jsonl: there is no such file",
        "preprocess.benchmarks: mbpp_plus: no data is given: name a file or a folder that holds MbppPlus.jsonl (or "
        "MbppPlus.jsonl.gz), from https://github.com/evalplus/mbppplus_release/releases",
        "preprocess.benchmarks: multipl_e_java, multipl_e_js, multipl_e_cpp, multipl_e_php, multipl_e_swift, "
        "multipl_e_rust: nuprl/MultiPL-E",
        "preprocess.benchmarks: ds1000: xlangai/DS-1000",
    ]
    assert hub == ["nuprl/MultiPL-E", "xlangai/DS-1000"]


def test_what_will_be_downloaded_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: None)
    problems, notes = looked_at(["mbpp", "mini"], {"suite": "mini"})
    assert (problems, notes) == (
        [],
        ["preprocess.benchmarks: google-research-datasets/mbpp will be downloaded for mbpp"],
    )


@pytest.mark.parametrize("name", ["inversecoder-cl-7b", "inversecoder-ds-6.7b"])
def test_the_configs_of_the_paper_keep_its_benchmarks_out(name: str, hub: list[str]) -> None:
    config = load_config(ROOT / f"configs/{name}.yaml")
    notes: list[str] = []
    said = "\n".join(kept_out_problems(config, notes))
    kept_out = {benchmark.name for benchmark in config.kept_out}
    assert kept_out >= {"humaneval", "mbpp", "ds1000", "multipl_e_java"} | {
        suite.suite for suite in config.evaluate.suites
    }
    for place in ("openai/openai_humaneval", "google-research-datasets/mbpp", "nuprl/MultiPL-E", "xlangai/DS-1000"):
        assert f"{place} is not in the cache of the Hugging Face hub, which does not answer" in said
    assert not any("not kept out" in note for note in notes)


def test_the_quickstart_keeps_out_what_it_measures() -> None:
    config = load_config(ROOT / "configs/quickstart.yaml")
    assert config.preprocess.benchmarks is None and [benchmark.name for benchmark in config.kept_out] == ["mini"]

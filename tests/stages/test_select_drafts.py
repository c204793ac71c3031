"""Drafts to training rows: templates, rivals, lineage, duplicates and contamination; nothing vanishes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Draft, Snippet, TrainingRow
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.select_drafts import selection_of
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_stage

SELECT = selection_of("generate", "select-tasks", "choose", snippets=True)
SNIPPETS = [Snippet(f"s{n}", f"def f{n}(): pass", "python", "", f"r{n}", "corpus.jsonl", n) for n in (1, 2, 3)]


def draft(name: str, parent: str = "s1", **fields: Any) -> Draft:
    made = Draft(name, [parent] if parent else [], "repair", f"Mend {name}.", "", f"y{name}", "python", 0, 0, "m", "p")
    return replace(made, **fields)


def select(folder: Path, drafts: list[Draft], **options: Any) -> list[TrainingRow]:
    inputs = {"drafts": drafts, "snippets": SNIPPETS, "earlier": options.pop("earlier", [])}
    manifest = play_stage(options.pop("stage", SELECT), folder, inputs, **options)
    assert manifest.rows_in == len(drafts) == manifest.rows_out + sum(manifest.rejected.values())
    return list(iterate_rows(folder / "selected.parquet", TrainingRow))


def reasons(folder: Path) -> dict[str, str]:
    return {row["row_id"]: row["reason"] for row in read_rows(folder / "rejections.parquet")}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, ["b", "d", "u"]),
        ({"min_score": 0.5}, ["b", "u"]),
        ({"method": "top_k", "k": 2}, ["b", "c", "d", "u"]),
        ({"method": "threshold", "min_score": 0.15}, ["a", "b", "c", "d", "u"]),
    ],
)
def test_drafts_of_the_same_parents_compete_by_score(
    tmp_path: Path, section: dict[str, Any], expected: list[str]
) -> None:
    drafts = [
        draft("a", lm_score=0.2), draft("b", lm_score=0.9), draft("c", lm_score=0.9),
        draft("d", "s2", lm_score=0.4), draft("u"),
    ]  # fmt: skip
    for seed in range(3):
        shuffled = random.Random(seed).sample(drafts, len(drafts))
        rows = select(tmp_path / str(seed), shuffled, selection=section)
        assert [row.candidate_id for row in rows] == expected


def test_any_rival_may_win_where_chance_decides(tmp_path: Path) -> None:
    drafts = [draft(name, lm_score=score) for name, score in (("a", 0.1), ("b", 0.9))]
    picks = [
        select(tmp_path / str(seed), drafts, selection={"method": "random"}, seed=seed)[0].candidate_id
        for seed in range(12)
    ]
    assert set(picks) == {"a", "b"}


def test_other_tasks_and_parents_are_no_rivals(tmp_path: Path) -> None:
    drafts = [draft("a", lm_score=0.2), draft("b", lm_score=0.3, task="generation"), draft("c", "", lm_score=0.1)]
    assert len(select(tmp_path, drafts)) == 3


def test_a_row_says_instruction_and_input_and_knows_where_it_is_from(tmp_path: Path) -> None:
    code = "```python\nx = {{ 1 }}\n```"
    drafts = [draft("a", "s2", input=code, lm_score=0.5), draft("b", "unknown"), draft("c", "")]
    whole, stranger, orphan = select(tmp_path, drafts, number=3)
    assert (whole.instruction, whole.response) == (f"Mend a.\n\n{code}", "ya")
    assert (whole.snippet_id, whole.candidate_id, whole.round, whole.lm_score) == ("s2", "a", 3, 0.5)
    assert (whole.row_id, whole.source, whole.line, whole.model) == ("r2", "corpus.jsonl", 2, "m")
    assert (stranger.instruction, stranger.snippet_id, stranger.source, stranger.line) == ("Mend b.", "unknown", "", 0)
    assert orphan.snippet_id == ""


def test_a_recipe_without_snippets_reads_none(tmp_path: Path) -> None:
    stage = selection_of("instances", "select-edits", "choose")
    assert set(stage.reads) == {"drafts", "earlier"}
    assert select(tmp_path, [draft("a")], stage=stage)[0].source == ""


def test_what_was_selected_before_is_not_selected_again(tmp_path: Path) -> None:
    earlier = select(tmp_path / "first", [draft("a"), draft("b")])
    again = [draft("a"), draft("c"), draft("d", instruction="Mend c.", response="yc")]
    assert [row.candidate_id for row in select(tmp_path / "second", again, earlier=earlier)] == ["c"]
    assert reasons(tmp_path / "second") == {"a": "exact_duplicate", "d": "exact_duplicate"}


def test_benchmarks_are_kept_out_of_instruction_input_and_response(tmp_path: Path) -> None:
    task = "Return the alphabetically ordered vowels of every second sentence in a long legal document, please."
    row = {
        "task_id": "B/1",
        "prompt": f'def f(x):\n    """{task}"""\n',
        "entry_point": "f",
        "canonical_solution": "    return x\n",
    }
    (tmp_path / "bench.jsonl").write_text(json.dumps(row) + "\n")
    drafts = [draft("a", instruction=task), draft("b", input=task), draft("c", response=task), draft("d")]
    rows = select(tmp_path / "out", drafts, preprocess={"benchmarks": [str(tmp_path / "bench.jsonl")]})
    assert [row.candidate_id for row in rows] == ["d"]
    assert set(reasons(tmp_path / "out").values()) == {"contaminated"}


def test_its_key_has_the_templates_and_the_texts_of_the_benchmarks() -> None:
    config = RunConfig.model_validate({"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]})
    without = config.model_copy(update={"preprocess": config.preprocess.model_copy(update={"benchmarks": []})})
    assert make_key(SELECT, config, [], None) != make_key(SELECT, without, [], None)
    assert PromptTemplate("draft-response").digest in SELECT.outside(config)


def test_a_limit_is_one_of_rows_whatever_they_are_made_of(tmp_path: Path) -> None:
    rows = select(tmp_path, [draft(f"d{n}", lm_score=None) for n in range(9)], selection={"limit": 4})
    assert len(rows) == 4 and set(reasons(tmp_path).values()) == {"not_selected"}
    assert read_manifest(tmp_path).metrics["tasks"] == {"repair": 4}  # type: ignore[union-attr]

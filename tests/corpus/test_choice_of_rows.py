"""What of a source is read: its filter, its share, its answers; each row that is not is counted."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.identity import identity
from inverse_instruct.config.sections import PreprocessSection, RunConfig
from inverse_instruct.corpus import readers
from inverse_instruct.errors import CorpusError
from inverse_instruct.loop import check
from inverse_instruct.loop.plan import make_plan
from inverse_instruct.loop.preview import preview_config
from inverse_instruct.records import Reason, Rejection, SourceRow
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.rows import read_rows
from tests.corpus.test_readers import jsonl, pairs, read
from tests.playing import play_stage, preprocess


def row(number: int = 0, **fields: Any) -> dict[str, Any]:
    code = f"def scale(value):\n    scaled = value * {number}\n    return scaled"
    return {"instruction": f"Scale by {number}.", "output": f"```python\n{code}\n```", **fields}


def kept(rows: list[SourceRow | Rejection]) -> list[str]:
    return [each.instruction for each in rows if isinstance(each, SourceRow)]


# -- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "values", "wanted"),
    [
        ({"x": ["a", "b"]}, ["a", "b", "c", "A", None], [0, 1]),
        ({"x": [5]}, [5, 5.0, "5", 5.5, True, None], [0, 1, 2]),
        ({"x": [True]}, [True, 1, "true", False], [0, 2]),
        ({"x": ["null", "[]"]}, [None, [], "null"], [2]),
        ({"x": ["mit"]}, [["apache", "mit"], ["apache"], [["mit"]], {"mit": 1}], [0]),
        ({"x": [0.5]}, [0.5, "0.5", 1e400], [0, 1]),
    ],
)
def test_a_filter_compares_values_as_they_are_written(
    tmp_path: Path, where: dict[str, Any], values: list[Any], wanted: list[int]
) -> None:
    path = jsonl(tmp_path / "c.jsonl", *[row(number, x=value) for number, value in enumerate(values)])
    rows = read(path, where=where)
    assert kept(rows) == [f"Scale by {number}." for number in wanted]
    left = [each for each in rows if isinstance(each, Rejection)]
    assert len(left) == len(values) - len(wanted) and {each.reason for each in left} == {Reason.FILTERED_OUT}
    assert all("left out by the filter on 'x', which is" in each.detail for each in left)


def test_all_fields_of_a_filter_must_fit_and_broken_rows_stay_broken(tmp_path: Path) -> None:
    rows = [row(0, a="x", b="y"), row(1, a="x", b="z"), row(2, a="w", b="y"), row(3, a="x"), "{"]
    read_so = read(jsonl(tmp_path / "c.jsonl", *rows), where={"a": ["x"], "b": ["y"]})
    assert kept(read_so) == ["Scale by 0."]
    reasons = [each.reason for each in read_so if isinstance(each, Rejection)]
    assert reasons == [Reason.FILTERED_OUT] * 3 + [Reason.MALFORMED]
    details = [each.detail for each in read_so if isinstance(each, Rejection)]
    assert details[0] == "c.jsonl:2: left out by the filter on 'b', which is 'z'" and "which is empty" in details[2]


def test_a_filter_goes_by_the_names_in_the_file(tmp_path: Path) -> None:
    rows = [{"q": "One", "a": "1", "lang": "go"}, {"q": "Two", "a": "2", "lang": "c"}]
    names = {"instruction": "q", "response": "a", "language": "lang"}
    assert kept(read(jsonl(tmp_path / "c.jsonl", *rows), fields=names, where={"lang": ["c"]})) == ["Two"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    assert kept(read(tmp_path / "c.parquet", fields=names, where={"lang": ["c"]})) == ["Two"]


def test_a_field_is_looked_for_in_the_first_rows(tmp_path: Path) -> None:
    rows = [row(number) for number in range(100)]
    path = jsonl(tmp_path / "c.jsonl", *rows[:99], row(99, x="a"))
    assert kept(read(path, where={"x": ["a"]})) == ["Scale by 99."]
    with pytest.raises(CorpusError, match="none of the first 100 rows has the field 'x'"):
        read(jsonl(path, *rows, row(100, x="a")), where={"x": ["a"]})


def test_a_limit_counts_what_the_filter_lets_through(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "c.jsonl", *[row(number, x=number % 3) for number in range(12)])
    rows = read(path, where={"x": [0]}, limit=2)
    assert kept(rows) == ["Scale by 0.", "Scale by 3."] and len(rows) == 4


def test_a_filter_of_no_values_is_no_filter(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        CorpusSource(path="c", where={"x": []})


# -- shares ----------------------------------------------------------------------------------------------------------


def drawn(folder: Path, *sources: CorpusSource, **section: Any) -> set[str]:
    preprocess(sources, PreprocessSection(near_duplicate_threshold=1.0, **section), folder)
    return {each["row_id"] for each in read_rows(folder / "original.parquet")}


def test_each_source_has_its_share_whatever_comes_before_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, start in (("a/1.jsonl", 0), ("a/2.jsonl", 50), ("b.jsonl", 100)):
        jsonl(tmp_path / name, *[row(number) for number in range(start, start + 50)])
    part = {share: CorpusSource(path=str(tmp_path / "a"), share=share) for share in (0.25, 0.5)}
    whole = CorpusSource(path=str(tmp_path / "b.jsonl"))
    first = drawn(tmp_path / "1", part[0.25], whole)
    manifest = read_manifest(tmp_path / "1")
    assert manifest and manifest.rows_in == 150
    assert manifest.rejected == {"not_drawn": 150 - len(first)} and 12 <= len(first) - 50 <= 38, "of 100; four sigma"
    assert drawn(tmp_path / "2", whole, part[0.25]) == first
    assert first < drawn(tmp_path / "3", part[0.5], whole)
    assert drawn(tmp_path / "4", part[0.5], share=0.5) == first & drawn(tmp_path / "5", part[0.25]), "shares multiply"


def test_the_seed_of_the_run_decides_who_is_drawn(tmp_path: Path) -> None:
    source = CorpusSource(path=str(jsonl(tmp_path / "c.jsonl", *[row(number) for number in range(60)])), share=0.5)
    drawn_by = []
    for folder, seed in (("a", 0), ("b", 1), ("c", 0)):
        play_stage(PREPROCESS, tmp_path / folder, seed=seed, corpus=[source])
        drawn_by.append({each["row_id"] for each in read_rows(tmp_path / folder / "original.parquet")})
    assert drawn_by[0] == drawn_by[2] != drawn_by[1]


# -- keys and plans --------------------------------------------------------------------------------------------------


def test_the_identity_of_a_source_has_all_that_decides_its_rows(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    jsonl(tmp_path / "rows/a.jsonl", row())

    def of(**options: Any) -> str:
        return json.dumps(identity(CorpusSource(path=str(tmp_path / options.pop("name", "rows")), **options)))

    changes: list[dict[str, Any]] = [
        {},
        {"where": {"x": ["a"]}},
        {"where": {"x": ["b"]}},
        {"share": 0.5},
        {"answers": "each"},
        {"system_prompts": "keep"},
        {"split": "test"},
        {"docstrings": "usage"},
    ]
    assert len({of(**change) for change in changes}) == len(changes)
    before = [of(name=name) for name in ("rows", "rows/*.jsonl")]
    (tmp_path / "rows/README.md").write_text("# Rows")
    assert [of(name=name) for name in ("rows", "rows/*.jsonl")] == before, "which is not read"
    (tmp_path / "moved").mkdir()
    (tmp_path / "rows/a.jsonl").rename(tmp_path / "moved/a.jsonl")
    assert [of(name=name) for name in ("moved", "moved/*.jsonl")] == before, "the same files in another place"
    jsonl(tmp_path / "moved/b.jsonl", row(1))
    after = [of(name=name) for name in ("moved", "moved/*.jsonl")]
    assert not set(after) & set(before), "a shard more"


def test_a_pattern_is_seen_from_the_folder_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "odd [name]"
    (folder / "rows").mkdir(parents=True)
    jsonl(folder / "rows/a.jsonl", row())
    jsonl(folder / "rows/[b].jsonl", row(1))
    (folder / "run.yaml").write_text(
        "name: x\nmodel: {base: b}\ncorpus: [{path: 'rows/?.jsonl'}, {path: 'rows/[b].jsonl'}]\n"
    )
    monkeypatch.chdir(tmp_path)
    sources = load_config(folder / "run.yaml").corpus
    assert kept(read(sources[0].path)) == ["Scale by 0."] and kept(read(sources[1].path)) == ["Scale by 1."]


def test_what_a_pattern_finds_through_a_link_out_of_its_folder_is_not_read(tmp_path: Path) -> None:
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
        jsonl(tmp_path / name / "a.jsonl", row())
    (tmp_path / "inside/link").symlink_to(tmp_path / "outside")
    (tmp_path / "inside/b.jsonl").symlink_to(tmp_path / "outside/a.jsonl")
    assert len(read(tmp_path / "inside/**/*.jsonl")) == 1
    with pytest.raises(CorpusError, match="no file matches"):
        read(tmp_path / "inside/*/../../outside/*.jsonl")


def test_the_plan_counts_shards_and_shares(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    for name in "ab":
        jsonl(tmp_path / f"rows/{name}.jsonl", *[row(number) for number in range(40)])
    (tmp_path / "run.yaml").write_text("name: x\nmodel: {base: b}\ncorpus: [{path: rows, share: 0.5}]\n")
    steps = {step.stage: step.rows for step in make_plan(load_config(tmp_path / "run.yaml")).steps}
    assert steps["preprocess (once)"] == 40


def test_a_preview_reads_the_first_rows_that_a_filter_lets_through(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "c.jsonl", *[row(number, x=number % 5) for number in range(100)])
    values = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": str(path), "where": {"x": [4]}, "share": 0.1}]}
    [source] = preview_config(RunConfig(**values), 10).corpus
    assert source.share == 1.0 and len(kept(list(readers.read_source(source)))) == 10


# -- conversations ---------------------------------------------------------------------------------------------------


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


TALK = [
    turn("system", "Be brief."),
    turn("user", "Add."),
    turn("assistant", "a + b"),
    turn("user", "Now three."),
    turn("assistant", "a + b + c"),
    turn("user", "Thanks"),
]


def test_each_answer_may_be_read_with_what_was_said_before(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "c.jsonl", {"messages": TALK})
    assert pairs(read(path)) == [("Add.", "a + b")]
    history = "User: Add.\n\nAssistant: a + b\n\nUser: Now three."
    assert pairs(read(path, answers="each")) == [("Add.", "a + b"), (history, "a + b + c")]
    assert pairs(read(path, answers="each", system_prompts="keep")) == [
        ("Be brief.\n\nAdd.", "a + b"),
        (f"System: Be brief.\n\n{history}", "a + b + c"),
    ]
    rows = read(path, answers="each")
    assert len({each.id for each in rows if isinstance(each, SourceRow)}) == 2
    assert {each.line for each in rows if isinstance(each, SourceRow)} == {1}


def test_a_conversation_that_breaks_gives_what_comes_before_and_says_so(tmp_path: Path) -> None:
    called = [*TALK[:3], turn("user", "Look."), {**turn("assistant", None), "tool_calls": [{"id": "1"}]}, *TALK[3:]]
    path = jsonl(tmp_path / "c.jsonl", {"messages": called})
    first, broken = read(path, answers="each")
    assert isinstance(first, SourceRow) and first.response == "a + b"
    assert isinstance(broken, Rejection) and broken.reason is Reason.MALFORMED
    assert broken.detail == "c.jsonl:1: field 'messages': turn 5 is a call of a tool, so no answer behind that is read"
    assert pairs(read(path)) == [("Add.", "a + b")], "which is all that is wanted"


def test_the_histories_of_a_conversation_may_be_so_long_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_ROW_BYTES", 1000)
    path = jsonl(tmp_path / "c.jsonl", {"messages": TALK[1:3] * 100}, {"messages": [turn("user", "x" * 2000), TALK[2]]})
    *found, rest, long = read(path, answers="each")
    assert 5 < len(pairs(found)) < 20 and sum(map(len, sum(pairs(found), ()))) <= 1000
    assert isinstance(rest, Rejection) and isinstance(long, Rejection)
    assert (rest.reason, long.reason) == (Reason.TOO_LONG, Reason.TOO_LONG)
    assert rest.detail.endswith("characters with its histories, so no answer behind that is read")
    assert long.detail == "c.jsonl:2: has 2005 characters"


def test_an_answer_to_nothing_is_no_part_of_a_history(tmp_path: Path) -> None:
    talk = [*TALK[1:3], turn("user", " "), turn("assistant", "Hm?"), *TALK[3:5]]
    [_, second] = pairs(read(jsonl(tmp_path / "c.jsonl", {"messages": talk}), answers="each"))
    assert second == ("User: Add.\n\nAssistant: a + b\n\nUser: Now three.", "a + b + c")


def test_a_system_turn_without_text_is_none(tmp_path: Path) -> None:
    rows = [{"messages": [turn("system", content), *TALK[1:3]]} for content in (None, [{"type": "image_url"}], " ")]
    found = read(jsonl(tmp_path / "c.jsonl", *rows), system_prompts="keep")
    assert pairs(found) == [("Add.", "a + b")] * 3


def test_what_of_conversations_is_left_out_is_said_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = row()["output"]
    talk = [*TALK[:2], turn("assistant", code), turn("user", "Again."), turn("assistant", row(1)["output"])]
    path = jsonl(tmp_path / "c.jsonl", *[{"messages": talk}] * 3)
    source = CorpusSource(path=str(path))
    said = "3 answers behind the first of their conversation (`answers: each` of a source reads them)"
    with caplog.at_level(logging.WARNING):
        manifest = preprocess([source], PreprocessSection(), tmp_path / "first")
    assert manifest.metrics["unread"] == {"answers": 3, "system_prompts": 3} and said in caplog.text
    assert "3 system prompts (`system_prompts: keep` puts them in front of the instruction)" in caplog.text
    (tmp_path / "run.yaml").write_text("name: x\nmodel: {base: b}\ncorpus: [{path: c.jsonl}]\n")
    notes: list[str] = []
    assert check._corpus_problems(load_config(tmp_path / "run.yaml"), notes) == []
    assert len(notes) == 1 and said in notes[0]
    all_of_it = source.model_copy(update={"answers": "each", "system_prompts": "keep"})
    manifest = preprocess([all_of_it], PreprocessSection(), tmp_path / "all")
    assert "unread" not in manifest.metrics and manifest.rows_in == 6


# -- the command -----------------------------------------------------------------------------------------------------


def test_a_command_takes_several_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(jsonl(tmp_path / f"{number}.jsonl", row(number))) for number in range(3)]
    output = str(tmp_path / "out")
    words = ["inverse-instruct", "preprocess", "--input", *paths[:2], "--output", output, "--input", paths[2]]
    monkeypatch.setattr("sys.argv", words)
    cli.main()
    manifest = read_manifest(tmp_path / "out")
    assert manifest and manifest.rows_in == 3


def test_docstrings_of_code_without_an_instruction_become_its_usage(tmp_path: Path) -> None:
    code = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
    bare, said = "def add(a, b):\n    return a + b", "Add.\n\n>>> add(1, 2)\n3"
    (tmp_path / "src").mkdir()
    (tmp_path / "src/add.py").write_text(code)
    (tmp_path / "src/add.go").write_text("package add\n\n// Add adds.\nfunc Add(a, b int) int { return a + b }\n")
    python, go = read(tmp_path / "src", docstrings="usage")[::-1]
    assert isinstance(python, SourceRow) and (python.response.strip(), python.usage) == (bare, said)
    assert isinstance(go, SourceRow) and "adds" in go.response and not go.usage
    [asked] = read(jsonl(tmp_path / "rows.jsonl", {"instruction": "Add.", "output": code}), docstrings="usage")
    assert isinstance(asked, SourceRow) and asked.response == code and not asked.usage
    [kept] = read(jsonl(tmp_path / "code.jsonl", {"code": code}))
    [apart] = read(jsonl(tmp_path / "code.jsonl", {"code": code}), docstrings="usage")
    assert isinstance(kept, SourceRow) and isinstance(apart, SourceRow)
    assert kept.response == code and (apart.response.strip(), apart.usage) == (bare, said) and apart.id == kept.id

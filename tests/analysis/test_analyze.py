"""Figures of small sets that can be counted by hand, and of files as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.texts import TaskTexts
from inverse_instruct import cli
from inverse_instruct.analysis import measures
from inverse_instruct.analysis.pairs import Pair, find_sets
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.dashboard.analysis_page import write_analysis_page
from inverse_instruct.errors import CorpusError, RunDirError
from inverse_instruct.records import TrainingRow, to_dict
from inverse_instruct.store.rows import write_rows

WORDS = [f"word{n}" for n in range(60)]


def test_lengths_are_of_words_and_signs() -> None:
    found = measures.lengths(["a b c", "f(x)", "x " * 1000])
    assert (found.mean, found.median, found.longest) == (1007 / 3, 4, 1000)
    assert found.histogram[0] == 2 and found.histogram[-1] == 1 and sum(found.histogram) == 3


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Write a Python function that sorts.", ("write", "function")),
        ("Create an implementation of it", ("create", "implementation")),
        ("Sort!", ("sort", "")),
        ("I want a C++ class", ("i", "want")),
        ("123 ...", None),
        ("", None),
    ],
)
def test_the_first_verb_and_its_object(instruction: str, expected: tuple[str, str] | None) -> None:
    assert measures.verb_and_object(instruction) == expected


def test_near_duplicates_are_counted_once_for_each_repetition() -> None:
    text = " ".join(WORDS)
    other = " ".join(reversed(WORDS))
    assert measures.near_duplicate_share([text, other, text, f"{text} more"], 0.7) == 0.5
    assert measures.near_duplicate_share([], 0.7) == 0.0


def test_the_nearest_row_of_a_benchmark_is_named() -> None:
    tasks = [TaskTexts("T/1", ("Count green parrots in the cage.",), ()), TaskTexts("T/2", (), ("def add(a, b): ...",))]
    pairs = [Pair("Count the green parrots in a cage", "", "1"), Pair("Something else", "", "print(7)")]
    embed = TfIdf([pair.text for pair in pairs] + ["Count green parrots in the cage.", "def add(a, b): ..."], 512)
    found = measures.similarity(pairs, tasks, embed)
    assert found.nearest[0].task == "T/1" and found.nearest[0].instruction.startswith("Count the green")
    assert found.largest == found.nearest[0].similarity > 0.6 > found.nearest[1].similarity
    assert sum(found.histogram) == 2 and found.mean == pytest.approx((found.largest + found.nearest[1].similarity) / 2)


def test_beginnings_end_with_their_article() -> None:
    found = measures.beginnings(
        ["Write a loop", "write  a test", "I want an app", "Sort a", "Sort the list", "a b", "Make it so that a b"]
    )
    assert found == {"Write a": 2, "I want an": 1}


def test_edit_ratios_are_those_of_rows_with_an_input() -> None:
    assert measures.edits([Pair("x", "", "y")]) is None
    found = measures.edits([Pair("x", "a\nb", "a\nc"), Pair("x", "", "y")])
    assert found and (found.rows, found.mean_lines) == (1, 2) and found.mean_ratio == pytest.approx(2 / 3)


def corpus(path: Path, rows: int, broken: bool = False) -> Path:
    made = [{"instruction": f"Write a loop {n}", "output": f"for x in range({n}): pass"} for n in range(rows)]
    lines = list(map(json.dumps, made))
    path.write_text("\n".join([*lines, *(["{"] if broken else [])]))
    return path


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "analyze", *words])
    cli.main()


def test_two_files_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = corpus(tmp_path / "one.jsonl", 3, broken=True), corpus(tmp_path / "two.jsonl", 2)
    command(monkeypatch, str(one), str(two), "--output", str(tmp_path / "page.html"), "--json")
    found = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["rows"], each["unreadable"]) for each in found["sets"]] == [
        ("one.jsonl", 3, {"malformed": 1}),
        ("two.jsonl", 2, {}),
    ]
    assert found["overlap"] == {"two.jsonl in one.jsonl": 1.0}
    assert found["sets"][0]["verbs"][0] == ["write", 3] and set(found["sets"][0]["similarity"]) == {"mini"}
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 6 and "two.jsonl" in page
    command(monkeypatch, str(one), str(two))
    assert "similarity to mini: mean" in capsys.readouterr().out


def test_the_page_escapes_what_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"instruction": "<script>alert(1)</script> count", "output": "x"}))
    from inverse_instruct.analysis.analyze import analyze

    tasks = {"<b>": [TaskTexts("<i>", ("count",), ())]}
    write_analysis_page(analyze(find_sets(path), tasks).as_json(), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "<b>" not in page and "<i>" not in page


def test_the_sets_of_a_run_are_its_original_and_its_last_rows(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("")
    with pytest.raises(RunDirError, match="has made no rows yet"):
        find_sets(tmp_path)
    row = to_dict(TrainingRow("id", "Do it", "r", "python", 0, "", "", None, "row", "file", 1, ""))
    for folder, name in (
        ("round-00/preprocess", "original"), ("round-01/selection", "selected"), ("round-02/selection", "selected"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
        write_rows(tmp_path / folder / f"{name}.parquet", [row], TrainingRow)
    original, selected = find_sets(tmp_path)
    assert (original.name, selected.name) == ("original", "self-generated") and "round-02" in str(selected.path)
    assert [pair.instruction for pair in selected] == ["Do it"]


def test_what_cannot_be_read_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        find_sets(tmp_path / "none.jsonl")
    with pytest.raises(SystemExit):
        command(monkeypatch, str(corpus(tmp_path / "empty.jsonl", 0)))
    assert "empty.jsonl" in capsys.readouterr().err

"""Figures of small sets that can be counted by hand, and of files as people have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.texts import TaskTexts
from inverse_instruct import cli
from inverse_instruct.analysis import measures
from inverse_instruct.analysis.analyze import analyze
from inverse_instruct.analysis.measures import Embed
from inverse_instruct.analysis.pairs import Pair, find_sets
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.dashboard.analysis_page import write_analysis_page
from inverse_instruct.errors import CorpusError, RunDirError
from inverse_instruct.records import Draft, TrainingRow, to_dict
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.run_dir import RunDir

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


def by_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed by the words of two categories, of which a text may have neither."""
    words = ("security", "SQL", "")
    return np.array([[float(word in text) + 0.01 for word in words] for text in texts], np.float32)


def test_a_category_is_the_nearest_name() -> None:
    pairs = [Pair("Do SQL", "", "x"), Pair("Add security", "", "x"), Pair("Do SQL again", "", "SQL")]
    found = measures.categories(pairs, by_words)
    assert {name: rows for name, rows in found.items() if rows} == {
        "databases and SQL": 2,
        "security and cryptography": 1,
    }
    assert set(found) == set(measures.CATEGORIES) and len(found) == 10


def test_tasks_of_drafts_are_counted(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("")
    for number, folder in enumerate(("instances", "generate")):
        (tmp_path / "round-01" / folder).mkdir(parents=True)
        rows = [
            to_dict(
                Draft(f"{folder}{k}", [], f"task {number + k % 2}", f"Do {k}", "a\nb", "a\nc", "python", k, 0, "", "")
            )
            for k in range(3)
        ]
        write_rows(tmp_path / "round-01" / folder / "drafts.parquet", rows, Draft)
    edits, tasks = analyze(find_sets(tmp_path), {}).sets
    assert (edits.name, edits.tasks) == ("edits", (("task 0", 2), ("task 1", 1)))
    assert (tasks.name, tasks.tasks) == ("tasks", (("task 1", 2), ("task 2", 1)))
    assert edits.edits and edits.edits.mean_lines == 2


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


def test_an_embedding_adds_categories_and_a_second_similarity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Model:
        def __init__(self, folder: Path) -> None:
            assert folder == Path("made")

        def __enter__(self) -> Embed:
            return lambda texts: 7 * by_words(texts)  # whose lengths are not 1

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("inverse_instruct.commands.analyze.SentenceModel", Model)
    monkeypatch.setattr("inverse_instruct.commands.analyze.resolve_model", Path)
    rows = corpus(tmp_path / "rows.jsonl", 3)
    command(monkeypatch, str(rows), "--embedding", "made", "--output", str(tmp_path / "page.html"))
    printed = capsys.readouterr().out
    assert "embedded similarity to mini: largest" in printed and "categories" in printed
    page = (tmp_path / "page.html").read_text()
    assert "nearest to mini, embedded" in page and "databases and SQL" in page
    command(monkeypatch, str(rows), "--embedding", "made", "--json")
    [found] = json.loads(capsys.readouterr().out)["sets"]
    assert sum(n for _, n in found["categories"]) == 3
    assert 0.99 < found["embedded_similarity"]["mini"]["largest"] < 1.01


def test_of_a_run_it_is_kept_for_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.db").write_text("")
    (tmp_path / "round-00/preprocess").mkdir(parents=True)
    row = to_dict(TrainingRow("id", "Do it", "r", "python", 0, "", "", None, "row", "file", 1, ""))
    write_rows(tmp_path / "round-00/preprocess/original.parquet", [row], TrainingRow)
    command(monkeypatch, str(tmp_path), "--json")
    assert json.loads(RunDir(tmp_path).analysis.read_text()) == json.loads(capsys.readouterr().out)
    RunDir(tmp_path).analysis.unlink()
    command(monkeypatch, str(tmp_path), str(tmp_path))
    assert not RunDir(tmp_path).analysis.exists(), "what is of several sets is of no run"


def test_the_page_escapes_what_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"instruction": "<script>alert(1)</script> count", "output": "x"}))
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

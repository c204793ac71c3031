"""The data browser's answers: every candidate once, filters, orders and pages that fit together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.errors import RequestError
from inverse_instruct.records import Candidate, to_dict
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.row_file import RowFile
from inverse_instruct.store.rows import iterate_rows, write_rows
from inverse_instruct.store.seeds import sampling_seed

from .made_run import CANDIDATES, HOSTILE, SNIPPETS, RunWriter


def every(path: Path, query: RowQuery) -> list[dict[str, Any]]:
    pages = read_page(path, query)["pages"]
    return [
        row
        for page in range(1, pages + 1)
        for row in read_page(path, RowQuery(query.round, page, query.search, query.outcome, query.order))["rows"]
    ]


def test_every_candidate_is_there_once_with_its_outcome(whole_run: Path) -> None:
    rows = every(whole_run, RowQuery(1))
    assert len(rows) == len({row["id"] for row in rows}) == SNIPPETS
    assert all([candidate["k"] for candidate in row["candidates"]] == list(range(CANDIDATES)) for row in rows)
    counted = Counter(candidate["outcome"] for row in rows for candidate in row["candidates"])
    assert counted == read_page(whole_run, RowQuery(1))["outcomes"]
    manifests = [read_manifest(whole_run / "round-01" / stage) for stage in ("summarize", "score", "selection")]
    rejected = Counter[str]()
    for manifest in manifests:
        assert manifest
        rejected.update(manifest.rejected)
    assert counted == rejected + Counter(selected=manifests[-1].rows_out)  # type: ignore[union-attr]


def test_a_candidate_tells_where_it_came_from_and_why_it_was_rejected(whole_run: Path) -> None:
    row = read_page(whole_run, RowQuery(1))["rows"][0]
    assert (row["source"], row["line"], row["language"]) == ("corpus.jsonl", 1, "python")
    assert row["code"].startswith(HOSTILE[0])
    first, second, third = row["candidates"]
    chosen, other = sorted((first, second), key=lambda candidate: -candidate["score"])
    assert (first["seed"], first["model"], first["prompt"]) == (7, "model", "prompt")
    assert chosen["outcome"] in ("selected", "below_minimum")
    assert other["detail"].startswith("rank 2 of 2") or "< 0.2" in other["detail"]
    assert (third["outcome"], third["stage"], third["score"]) == ("cut_off", "summarize", None)
    assert third["seed"] == sampling_seed(0, 1, row["id"], 2)
    assert "and so on" in third["text"]


@pytest.mark.parametrize("order", ["best", "worst"])
def test_order_by_the_best_score(whole_run: Path, order: str) -> None:
    rows = every(whole_run, RowQuery(2, order=order))
    scores = [
        max(candidate["score"] for candidate in row["candidates"] if candidate["score"] is not None)
        for row in rows
        if any(candidate["score"] is not None for candidate in row["candidates"])
    ]
    assert len(scores) >= SNIPPETS - 1
    assert scores == sorted(scores, reverse=order == "best")


def test_filter_by_outcome(whole_run: Path) -> None:
    rows = every(whole_run, RowQuery(1, outcome="bad_score"))
    assert len(rows) == 1
    assert "bad_score" in {candidate["outcome"] for candidate in rows[0]["candidates"]}
    assert read_page(whole_run, RowQuery(1, outcome="no_such"))["rows"] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FUNCTION number 7,", 1),
        ("number 4", 6),
        ("def task_44(", 1),
        ("corpus.jsonl", SNIPPETS),
        ("nowhere", 0),
        ("</script><img", 1),
        ("{{ 7 * 7 }}", 1),
        ("a NUL \0", 1),
        ("line\u2028separator", 1),
        (".*", 0),
    ],
)
def test_search_takes_the_text_as_it_is(whole_run: Path, text: str, found: int) -> None:
    assert read_page(whole_run, RowQuery(1, search=text))["matched"] == found


def test_the_corpus_with_what_was_rejected_of_it(whole_run: Path) -> None:
    page = read_page(whole_run, RowQuery(0))
    assert page["outcomes"] == {"kept": SNIPPETS, "no_code": 2, "syntax_error": 1}
    rejected = every(whole_run, RowQuery(0, outcome="no_code"))
    assert [row["detail"] for row in rejected] == ["detail 0", "detail 1"] and rejected[0]["code"] is None
    assert read_page(whole_run, RowQuery(0, search="solve task 3."))["matched"] == 1


def test_a_round_whose_files_are_not_written_yet(growing_run: RunWriter) -> None:
    assert read_page(growing_run.run_dir.path, RowQuery(0))["total"] == 0
    growing_run.preprocess()
    page = read_page(growing_run.run_dir.path, RowQuery(1))
    assert page["total"] == SNIPPETS and page["rows"][0]["candidates"] == []
    growing_run.candidates(1)  # the index of a moment ago is not used again
    assert len(read_page(growing_run.run_dir.path, RowQuery(1))["rows"][0]["candidates"]) == CANDIDATES


def test_pages_behind_the_last_and_wrong_queries(whole_run: Path) -> None:
    assert read_page(whole_run, RowQuery(1, page=99))["rows"] == []
    for query in (RowQuery(1, page=0), RowQuery(1, order="random")):
        with pytest.raises(RequestError, match="order must be one of"):
            read_page(whole_run, query)


def test_rows_are_found_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(path, ({"number": number, "text": f"text {number}"} for number in range(25_000)))
    file = RowFile(path)
    assert {number: row["number"] for number, row in file.rows([24_999, 0, 10_000, 9_999, 9_999]).items()} == {
        0: 0,
        9_999: 9_999,
        10_000: 10_000,
        24_999: 24_999,
    }
    assert file.matches("TEXT 2499", "text").tolist() == [2499, *range(24_990, 25_000)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_row_is_found_by_its_id(whole_run: Path, number: int) -> None:
    row = read_page(whole_run, RowQuery(number, page=3))["rows"][0]
    names = [
        row["id"],
        *(candidate["id"] for candidate in row["candidates"] or ()),
        *([] if number else [row["row_id"]]),
    ]
    for name in names:
        assert [found["id"] for found in read_page(whole_run, RowQuery(number, row=name))["rows"]] == [row["id"]]
    assert read_page(whole_run, RowQuery(number, row="nobody"))["matched"] == 0


def test_a_candidate_of_an_earlier_round_is_told_from_others(growing_run: RunWriter) -> None:
    growing_run.preprocess()
    growing_run.candidates(1)
    before = growing_run.run_dir.stage(1, "summarize") / "candidates.parquet"
    growing_run.candidates(2)
    after = growing_run.run_dir.stage(2, "summarize") / "candidates.parquet"
    own, earlier = list(iterate_rows(after, Candidate)), list(iterate_rows(before, Candidate))[:1]
    write_rows(after, map(to_dict, [*own, *earlier]), Candidate)
    path = growing_run.run_dir.path
    candidates = read_page(path, RowQuery(2))["rows"][0]["candidates"]
    assert [candidate["earlier"] for candidate in candidates] == [False] * CANDIDATES + [True]
    assert candidates[-1]["id"] == earlier[0].id
    assert not any(candidate["earlier"] for candidate in read_page(path, RowQuery(1))["rows"][0]["candidates"])

"""Selection: the best of n, whatever the order; ties, ablations, lineage, duplicates and contamination."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import SelectionSection
from inverse_instruct.records import Candidate, ScoredPair, Snippet, TrainingRow
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.select import SELECT, choose
from inverse_instruct.store.rows import read_rows
from tests.playing import play_stage, room_of


def pair(snippet: str, candidate: str, score: float) -> ScoredPair:
    return ScoredPair(candidate, snippet, 0.0, 0.0, score, "m", "p")


PAIRS = [pair("s1", "a", 0.2), pair("s1", "b", 0.9), pair("s1", "c", 0.9), pair("s2", "d", 0.1), pair("s2", "e", 0.05)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"method": "best"}, ["b", "d"]),
        ({"method": "best", "min_score": 0.5}, ["b"]),
        ({"method": "top_k", "k": 2}, ["b", "c", "d", "e"]),
        ({"method": "threshold", "min_score": 0.15}, ["b", "c", "a"]),
    ],
)
def test_methods(options: dict[str, object], expected: list[str]) -> None:
    section = SelectionSection.model_validate(options)
    rejections = set()
    for order in permutations(PAIRS):  # every one, so that those of equal scores come either way round
        chosen, rejected = choose(section, order, seed=0, round_number=1)
        assert [row.candidate_id for row in chosen] == expected
        assert len(chosen) + len(rejected) == len(PAIRS)
        rejections.add(frozenset(rejected))
    assert len(rejections) == 1, "why a pair is rejected is told alike, whatever the order"


def picks(pairs: Sequence[ScoredPair], seed: int, round_number: int) -> tuple[str, ...]:
    chosen, _ = choose(SelectionSection(method="random"), pairs, seed, round_number)
    return tuple(row.candidate_id for row in chosen)


def test_a_random_choice_is_the_same_in_every_order() -> None:
    assert {picks(order, 3, 1) for order in permutations(PAIRS)} == {picks(PAIRS, 3, 1)}


def test_a_random_choice_depends_on_seed_round_and_snippet() -> None:
    many = [pair(f"s{n}", f"{n}{name}", score) for n in range(20) for name, score in (("a", 0.2), ("b", 0.9))]
    assert {name[-1] for name in picks(many, 0, 1)} == {"a", "b"}, "one choice for all snippets is none"
    assert len({picks(many, seed, 1) for seed in range(5)}) == 5
    assert len({picks(many, 0, number) for number in range(5)}) == 5


def test_the_minimum_itself_is_enough() -> None:
    chosen, _ = choose(SelectionSection(method="threshold", min_score=0.2), [pair("s", "a", 0.2)], 0, 1)
    assert [row.candidate_id for row in chosen] == ["a"]


def selected(folder: Path, pairs: list[ScoredPair], code: str = "x = {}", **options: Any) -> list[str]:
    """Return the ids of the candidates that the stage selects; their instructions are alike."""
    ids = sorted({each.snippet_id for each in pairs})
    inputs: dict[str, Source] = {
        "snippets": [Snippet(name, code.format(name), "python", "", name, "corpus.jsonl", 1) for name in ids],
        "candidates": [Candidate(row.candidate_id, row.snippet_id, 0, "", "Do.", 0, "m", "p", 1, 1) for row in pairs],
        "scores": pairs,
        "earlier": [],
    }
    play_stage(SELECT, folder, inputs, **options)
    return [row["candidate_id"] for row in read_rows(folder / "selected.parquet")]


def test_a_random_choice_is_drawn_with_the_seed_of_the_run_and_the_round(tmp_path: Path) -> None:
    many = [pair(f"s{n}", f"{n}{name}", 0.5) for n in range(20) for name in "ab"]
    for seed, number in ((0, 1), (4, 1), (4, 3)):
        names = selected(tmp_path / f"{seed}-{number}", many, seed=seed, number=number, selection={"method": "random"})
        assert tuple(names) == picks(many, seed, number)


def test_a_row_that_two_snippets_give_is_one_row(tmp_path: Path) -> None:
    pairs = [pair("s1", "a", 0.2), pair("s2", "b", 0.9)]
    assert selected(tmp_path / "alike", pairs, code="x = 1") == ["a"]
    [rejected] = read_rows(tmp_path / "alike" / "rejections.parquet")
    assert (rejected["row_id"], rejected["reason"]) == ("b", "exact_duplicate")
    assert selected(tmp_path / "others", pairs) == ["a", "b"]


def test_rows_carry_their_lineage_and_nothing_vanishes(tmp_path: Path) -> None:
    benchmark = tmp_path / "bench.jsonl"
    task = "Return the alphabetically ordered vowels of every second sentence in a long legal document, please."
    benchmark.write_text(
        json.dumps(
            {
                "task_id": "B/1",
                "prompt": f'def f(x):\n    """{task}"""\n',
                "entry_point": "f",
                "canonical_solution": "    return x\n",
            }
        )
        + "\n"
    )
    snippets = [
        Snippet(f"s{n}", f"def f{n}():\n    return {n}", "python", "", f"r{n}", "corpus.jsonl", n) for n in (1, 2, 3)
    ]
    texts = {
        "a": "Write one.",
        "b": "Write a two.",
        "c": "Write a three.",
        "d": f"Write a function. {task}",
        "e": "Write five.",
        "f": "Write six.",
    }
    candidates = [Candidate(name, "s", 0, "", text, 0, "m", "p", 1, 1) for name, text in texts.items()]
    pairs = [*PAIRS, pair("s3", "f", 0.7)]

    def run(folder: str, earlier: list[TrainingRow]) -> list[dict[str, Any]]:
        inputs: dict[str, Source] = {
            "snippets": snippets,
            "candidates": candidates,
            "scores": pairs,
            "earlier": earlier,
        }
        manifest = play_stage(SELECT, tmp_path / folder, inputs, number=2, preprocess={"benchmarks": [str(benchmark)]})
        assert manifest.rows_in == 6 == manifest.rows_out + sum(manifest.rejected.values())
        return read_rows(tmp_path / folder / "selected.parquet")

    rows = run("first", [])
    assert [row["candidate_id"] for row in rows] == ["b", "f"]  # d is contaminated
    first = rows[0]
    assert (first["row_id"], first["source"], first["line"], first["round"]) == ("r1", "corpus.jsonl", 1, 2)
    assert first["response"] == "```python\ndef f1():\n    return 1\n```"
    rejections = {row["row_id"]: row for row in read_rows(tmp_path / "first" / "rejections.parquet")}
    assert rejections["d"]["reason"] == "contaminated" and "B/1" in str(rejections["d"]["detail"])
    assert [row["candidate_id"] for row in run("second", [TrainingRow(**first)])] == ["f"]


def test_another_text_of_a_benchmark_is_another_key(tmp_path: Path) -> None:
    benchmark = tmp_path / "bench.jsonl"
    config = room_of(SELECT, tmp_path, preprocess={"benchmarks": [str(benchmark), "mini"]}).config
    keys = []
    for text in ("one task", "another task"):
        benchmark.write_text(json.dumps({"text": text}))
        keys.append(make_key(SELECT, config, [], None))
    assert keys[0] != keys[1]


def test_a_limit_draws_without_regard_to_scores_and_a_larger_one_keeps_what_a_smaller_does(tmp_path: Path) -> None:
    many = [pair(f"s{n:02}", f"{n:02}", n / 30) for n in range(30)]
    drawn = [selected(tmp_path / str(limit), many, selection={"limit": limit}) for limit in (6, 12, 30, 99)]
    assert [len(names) for names in drawn] == [6, 12, 30, 30] and set(drawn[0]) < set(drawn[1])
    assert drawn[1] == sorted(drawn[1]) and set(drawn[1]) != {row.candidate_id for row in many[-12:]}
    rejected = read_rows(tmp_path / "6/rejections.parquet")
    assert {(row["reason"], row["detail"]) for row in rejected} == {("not_selected", "selection.limit is 6 of 30")}
    assert len(rejected) == 24
    assert selected(tmp_path / "other", many, selection={"limit": 6}, seed=1) != drawn[0]
    best = [*many, *(pair(f"s{n:02}", f"{n:02}-worse", 0.0) for n in range(30))]
    assert selected(tmp_path / "best", best, selection={"limit": 6}) == drawn[0], "of each snippet, the best"

"""Which of a model's replies are good instructions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from inverse_instruct.records import Candidate, Reason, Rejection, Snippet
from inverse_instruct.stages.summarize import SUMMARIZE, leaks_code, repeats_itself, review
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.seeds import sampling_seed
from tests.playing import play_asking, room_of
from tests.stages.spelled import NotingClient, model_of

CODE = """def total_price(items, tax):
    subtotal = sum(item.price for item in items)
    rounded = round(subtotal * (1 + tax), 2)
    return rounded
"""
SNIPPET = Snippet("s", CODE, "python", "", "r", "f", 1)


def candidate(k: int, text: str) -> Candidate:
    return Candidate(f"c{k}", "s", k, "Write a Python", f"Write a Python{text}", 0, "m", "p", 1, 1)


def test_review_keeps_good_ones_and_names_every_reason() -> None:
    replies: list[Candidate | Rejection] = [
        candidate(0, " function that adds up the prices of items and applies a tax."),
        candidate(1, ""),
        candidate(2, " function"),
        candidate(3, " function that ADDS up the prices of  items and applies a tax."),
        candidate(4, f" function like this: {CODE}"),
        candidate(5, " program " + "that adds numbers and then prints them " * 8),
        Rejection("s/6", "summarize", Reason.CUT_OFF, "..."),
        candidate(7, " function total_price(items, tax) that returns the taxed sum of prices."),
    ]
    kept, rejected = review(SNIPPET, replies, max_leaked_lines=2)
    assert [reply.k for reply in kept] == [0, 7]
    assert {rejection.row_id: rejection.reason for rejection in rejected} == {
        "s/1": Reason.EMPTY,
        "s/2": Reason.EMPTY,
        "s/3": Reason.DUPLICATE_CANDIDATE,
        "s/4": Reason.LEAKS_CODE,
        "s/5": Reason.REPEATS_ITSELF,
        "s/6": Reason.CUT_OFF,
    }


def test_leaks_count_lines_whatever_their_spacing() -> None:
    one = "compute subtotal=sum(item.price for item in items) first"
    assert not leaks_code(one, CODE, max_leaked_lines=2)
    assert leaks_code(one, CODE, max_leaked_lines=0)
    assert leaks_code(f"{one} and rounded = round(subtotal * (1+tax),2)", CODE, max_leaked_lines=1)
    assert leaks_code("so that it does return left + right", "def f(left, right):\n    return left + right", 2)
    assert not leaks_code("write def f(left, right)", "def f(left, right):\n    return left + right", 0)


def test_ordinary_lists_do_not_count_as_repeating() -> None:
    text = "Write a class with methods: push an item, pop an item, peek at the top item, and tell whether it is empty."
    assert not repeats_itself(text)
    assert repeats_itself("Print the sum of it.\n" * 3)
    assert repeats_itself("the sum of the " * 12)


def asked_seeds(folder: Path, **place: Any) -> list[int]:
    """Return the seeds with which two snippets' three candidates are asked for, in the order of the rows."""
    client = NotingClient(reply=lambda prompt, seed: f" function that adds {seed} to each number.")
    snippets = [SNIPPET, Snippet("t", CODE.replace("total", "whole"), "python", "", "r", "f", 9)]
    room = room_of(
        SUMMARIZE,
        folder,
        {"snippets": snippets},
        asked=model_of(client),
        summarize={"candidates": 3, "max_new_tokens": 64},
        **place,
    )
    asyncio.run(play_asking(room))
    rows = read_rows(folder / "candidates.parquet")
    assert [(row["snippet_id"], row["k"]) for row in rows] == [(name, k) for name in "st" for k in range(3)]
    assert all(f"adds {row['seed']} to" in row["instruction"] for row in rows), "the seed of the row is what was asked"
    return [row["seed"] for row in rows]


def test_each_candidate_is_drawn_with_a_seed_of_its_run_round_snippet_and_number(tmp_path: Path) -> None:
    seeds = asked_seeds(tmp_path / "first", seed=5, number=2)
    assert seeds == [sampling_seed(5, 2, name, k) for name in "st" for k in range(3)]
    assert len(set(seeds)) == 6
    assert not {*seeds} & {*asked_seeds(tmp_path / "round", seed=5, number=3)}
    assert not {*seeds} & {*asked_seeds(tmp_path / "run", seed=6, number=2)}


def test_a_heading_is_forced_and_is_no_part_of_the_instruction(tmp_path: Path) -> None:
    client = NotingClient(reply=lambda prompt, seed: f" Add up the prices of {seed} items and apply a tax.")
    options: Any = {"heading": "Problem Statement:", "candidates": 2, "max_new_tokens": 90}
    room = room_of(SUMMARIZE, tmp_path, {"snippets": [SNIPPET]}, asked=model_of(client), summarize=options)
    asyncio.run(play_asking(room))
    assert all(prompt.endswith("\nProblem Statement:") for prompt, _ in client.asked)
    rows = read_rows(tmp_path / "candidates.parquet")
    assert len(rows) == 2 and all(row["instruction"].startswith("Add up the prices") for row in rows)
    assert {row["prefix"] for row in rows} == {"Problem Statement:"}

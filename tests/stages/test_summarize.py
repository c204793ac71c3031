"""Which of a model's replies are good instructions."""

from __future__ import annotations

from inverse_instruct.records import Candidate, Reason, Rejection, Snippet
from inverse_instruct.stages.summarize import leaks_code, repeats_itself, review

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

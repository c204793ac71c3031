"""ROUGE-L against everything so far gives the decisions that comparing each pair gives."""

from __future__ import annotations

import random
import sys
from itertools import pairwise

import pytest

from inverse_instruct.corpus.rouge import RougeIndex, f_measure, tokens

VERBS = ["Add", "Remove", "Rename", "Refactor", "Optimize", "Document", "Test", "Log", "Cache", "Split"]
OBJECTS = [
    "the function",
    "a class",
    "the loop",
    "this method",
    "the parser",
    "all queries",
    "an endpoint",
    "the cache",
]
ENDS = ["so that it is faster", "to handle missing files", "for better readability", "with type hints", "using a dict"]


def slow_common(one: list[str], other: list[str]) -> int:
    row = [0] * (len(other) + 1)
    for word in one:
        previous = 0
        for place, (above, known) in enumerate(zip(row[1:], other, strict=True), 1):
            row[place], previous = (previous + 1 if word == known else max(above, row[place - 1])), above
    return row[-1]


def slow_score(one: str, other: str) -> float:
    first, second = tokens(one), tokens(other)
    return f_measure(slow_common(first, second), len(first), len(second))


def texts(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        words = f"{draw.choice(VERBS)} {draw.choice(OBJECTS)} {draw.choice(ENDS)} {draw.choice(ENDS)}".split()
        for _ in range(draw.randrange(6)):
            words.insert(draw.randrange(len(words)), draw.choice(words))
        made.append(" ".join(words[: draw.randrange(1, len(words) + 1)]))
    return made


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_decisions_are_those_of_every_pair(threshold: float) -> None:
    index = RougeIndex(threshold)
    accepted: list[tuple[str, str]] = []
    for number, text in enumerate(texts(400, seed=int(threshold * 10))):
        first = next((place for place, known in accepted if slow_score(text, known) > threshold), None)
        assert index.find_or_add(str(number), text) == first
        if first is None:
            accepted.append((str(number), text))
    assert 0 < len(accepted) == len(index) and (threshold == 1.0 or len(accepted) < 400)


def test_decisions_are_those_of_the_package() -> None:
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    made = [*texts(150, seed=1), "", "Übung für Anfänger", "UPPER Case, punctuation!", "x" * 5000, "naïve café 123"]
    for one, other in pairwise(made + random.Random(0).sample(made, len(made))):
        index = RougeIndex(0.7)
        index.add("known", one)
        assert (index.find(other) is not None) == (scorer.score(one, other)["rougeL"].fmeasure > 0.7)


@pytest.mark.parametrize("common", [7, 14, 21])
def test_exactly_at_the_threshold_as_floating_point_has_it(common: int) -> None:
    """7 of 10 words: the F-measure is 0.7 in the reals, and what decides is what its formula gives."""
    one = " ".join([f"w{n}" for n in range(common)] + [f"a{n}" for n in range(common * 10 // 7 - common)])
    other = " ".join([f"w{n}" for n in range(common)] + [f"b{n}" for n in range(common * 10 // 7 - common)])
    index = RougeIndex(0.7)
    index.add("known", one)
    assert (index.find(other) is not None) == (slow_score(one, other) > 0.7)


@pytest.mark.parametrize("text", ["", "Добавь проверку", "。。。", "\n\t"])
def test_texts_without_tokens_repeat_nothing(text: str) -> None:
    index = RougeIndex(0.7)
    index.add("one", text)
    assert index.find(text) is None


@pytest.mark.parametrize("text", ["add a test " * 300, "the " * 2000, " ".join(map(str, range(3000)))])
def test_long_and_repeating_texts(text: str) -> None:
    index = RougeIndex(0.7)
    index.add("short", "Add a test for the parser.")
    assert index.find(text) is None
    index.add("long", text)
    assert index.find(f"{text} more") == "long"
    assert sys.getrecursionlimit() >= 1000

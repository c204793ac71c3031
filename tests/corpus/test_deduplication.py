"""Exact and near duplicates."""

from __future__ import annotations

import random

import pytest

from inverse_instruct.corpus import shingles
from inverse_instruct.corpus.deduplication import ExactDuplicates, NearDuplicates
from inverse_instruct.corpus.shingles import window_hashes

CODE = "def count_words(sentence):\n    words = sentence.split()\n    total = len(words)\n    return total\n"


def test_exact_duplicates_differ_in_white_space_only() -> None:
    seen = ExactDuplicates()
    assert seen.find_or_add("a", CODE) is None
    assert seen.find_or_add("b", CODE.replace("    ", "\t")) == "a"
    assert seen.find_or_add("c", CODE.replace("total", "sum")) is None
    assert seen.find_or_add("d", CODE) == "a"


def test_texts_are_kept_apart() -> None:
    seen = ExactDuplicates()
    assert seen.find_or_add("a", "x y", "z") is None
    assert seen.find_or_add("b", "x", "y z") is None
    assert seen.find_or_add("c", "x  y", "z\n") == "a"


def test_near_duplicates_name_the_first() -> None:
    seen = NearDuplicates(0.6)
    assert seen.find_or_add("a", CODE) is None
    assert seen.find_or_add("b", CODE + "# done\n") == "a"
    assert seen.find_or_add("c", "import os\n\nprint(os.getcwd(), os.sep, os.name)") is None
    assert seen.find_or_add("d", "# first\n" + CODE) == "a"


def words(rng: random.Random, count: int) -> list[str]:
    return [f"w{rng.randrange(10_000)}" for _ in range(count)]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75, 0.9, 1.0])
def test_nothing_below_the_threshold_and_nearly_all_above_it(threshold: float) -> None:
    rng = random.Random(1)
    found = wanted = 0
    for changed in range(0, 60, 2):
        seen = NearDuplicates(threshold)
        one = words(rng, 120)
        other = [*one[:-changed], *words(rng, changed)] if changed else one
        similarity = (116 - changed) / (116 + changed)
        seen.find_or_add("one", " ".join(one))
        if seen.find_or_add("other", " ".join(other)):
            assert similarity >= threshold
            found += 1
        wanted += similarity >= threshold
    assert wanted - 1 <= found <= wanted


def test_the_first_of_several_near_duplicates_wins() -> None:
    seen = NearDuplicates(0.5)
    base = words(random.Random(2), 40)
    places = [seen.find_or_add(str(n), " ".join([*base, *words(random.Random(n), 40)])) for n in range(3, 9)]
    assert places == [None] * 6  # they share only half of their words, under a third of their shingles
    assert seen.find_or_add("x", " ".join([*base, *words(random.Random(5), 40)])) == "5"


@pytest.mark.parametrize("code", ["", "x", "a b", "a b c d e", "\ud800 x y z w"])
def test_tiny_snippets(code: str) -> None:
    seen = NearDuplicates(0.75)
    assert seen.find_or_add("a", code) is None
    assert seen.find_or_add("b", code) == "a"


def test_hashes_do_not_change_between_versions() -> None:
    assert window_hashes(["a", "b", "c"], 2).tolist() == window_hashes(["z", "a", "b", "c"], 2).tolist()[1:]
    assert window_hashes(["def", "f"], 2).tolist() == [5760117092368011806]
    assert window_hashes(["a"], 2).size == 0


def test_buckets_that_settled_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    texts = [" ".join(words(rng, 30)) for _ in range(60)]
    texts += [f"{text} {' '.join(words(rng, 2))}" for text in texts] + texts[::7]

    def places(entries: int) -> list[str | None]:
        monkeypatch.setattr("inverse_instruct.corpus.deduplication._NEWEST_ENTRIES", entries)
        seen = NearDuplicates(0.75)
        return [seen.find_or_add(str(number), text) for number, text in enumerate(texts)]

    assert places(50) == places(10**9) and sum(place is not None for place in places(50)) > 60


def test_long_words_are_hashed_alike_and_not_kept() -> None:
    short = [f"word{number}" for number in range(8)]
    alone = window_hashes(short, 4).tolist()
    kept = shingles._number.cache_info().currsize
    mixed = window_hashes([*short, "x" * 1_000_000], 4).tolist()
    assert mixed[:5] == alone and len(mixed) == 6
    assert shingles._number.cache_info().currsize == kept

"""Solutions that differ only in names and layout are one; others are not."""

import pytest

from evaluation import Sample, diversity, normalized

ADD = 'def add(a, b):\n    """Add."""\n    total = a + b  # the sum\n    return total\n'


@pytest.mark.parametrize(
    "other",
    [
        "def plus(x, y):\n\n    s = x + y\n    return s\n",
        "def add(a: int, b: int) -> int:\n    t: int = a + b\n    return t\n",
    ],
)
def test_the_same_but_for_names_and_layout(other: str) -> None:
    assert normalized(ADD) == normalized(other)


@pytest.mark.parametrize(
    "other",
    [
        "def add(a, b):\n    total = b + a\n    return total\n",
        "def add(a, b):\n    return a + b\n",
        "def add(a, b):\n    total = a - b\n    return total\n",
        "def add(a, b):\n    len = a + b\n    return len\n",
    ],
)
def test_another_program_is_another(other: str) -> None:
    assert normalized(ADD) != normalized(other)


def test_what_does_not_parse_is_compared_without_white_space() -> None:
    assert normalized("function f() { return 1 }") == normalized("function f() {\n  return 1\n}")
    assert normalized("(" * 100_000) == "(" * 100_000


def test_counts() -> None:
    samples = [Sample("a", 0, "x = 1"), Sample("a", 1, "y = 1"), Sample("b", 0, "x = 1"), Sample("b", 1, "x = 2")]
    result = diversity(samples)
    assert (result.samples, result.distinct, result.within_task) == (4, 2, 0.75)
    assert diversity(samples[:1]).within_task is None

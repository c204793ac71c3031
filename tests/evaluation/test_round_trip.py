"""Code described, written again, and compared on the calls that its own texts show and on guessed ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evaluation import Execution, open_sandbox
from evaluation.arguments import functions_of
from evaluation.comparison_process import Comparer
from evaluation.round_trip import Described, NotRun, RoundTrip
from evaluation.usage import calls_shown

MEDIAN = '''def median(values):
    """Return the middle one.

    >>> median([3, 1, 2])
    2
    >>> median(values=[5])
    5
    >>> median([])
    Traceback (most recent call last):
    IndexError: list index out of range
    """
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    print(median([9, 8, 7, 6]))
'''


@pytest.fixture(scope="module")
def trip() -> Iterator[RoundTrip]:
    with Comparer() as comparer, open_sandbox(Execution(workers=1, memory_bytes=1 << 30)) as sandbox:
        yield RoundTrip(sandbox, comparer, 12)


def test_shown_calls_are_those_with_literals_and_doctests_come_first() -> None:
    usage = "Use it so:\n\n```python\nassert median([1, 1, 4]) == 1\nx = median(numbers)\nmedian(1, 2, 3)\n```\n"
    shown = calls_shown(MEDIAN, usage, functions_of(MEDIAN))["median"]
    assert shown.arguments == [[[3, 1, 2]], [[5]], [[9, 8, 7, 6]], [[]], [[1, 1, 4]]]
    assert shown.results == [2, 5]


@pytest.mark.parametrize(
    "usage", ["", ">>> broken(", "no code at all", "```python\nf(*x, **y)\n```", "\0", "((((" * 9999]
)
def test_texts_that_show_nothing(usage: str) -> None:
    assert calls_shown("def f(x):\n    return x", usage, functions_of("def f(x):\n    return x")) == {}


SAME = "def solution(values):\n    ordered = list(values)\n    ordered.sort()\n    return ordered[len(ordered) // 2]"
PROGRAMS = {
    "same": (SAME, True),
    "other function": ("def solution(values):\n    return sum(values) / len(values)", False),
    "wrong detail": (SAME.replace("// 2", "// 2 - 1"), False),
    "other name": (SAME.replace("def solution", "def median"), True),
    "other name, and what it calls": (
        "def half(n):\n    return n // 2\n\n\n"
        + SAME.replace("def solution", "def median").replace("len(ordered) // 2", "half(len(ordered))"),
        True,
    ),
    "right, but not the one asked for": (
        SAME.replace("def solution", "def median") + "\n\n\ndef solution(values):\n    return 0", False
    ),
    "no program": ("def solution(", False),
    "ends": ("import os\n\n\ndef solution(values):\n    os._exit(0)", False),
    "equal to all": (
        "class A:\n    def __eq__(self, other):\n        return True\n\n\ndef solution(values):\n    return A()", False
    ),
    "printed": (SAME.replace("return ordered", "print(ordered[0])\n    return ordered"), True),
}  # fmt: skip


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_is_compared_with_the_code(trip: RoundTrip, case: str) -> None:
    described = trip.look(MEDIAN, "").result()
    assert isinstance(described, Described) and described.signature == "def solution(values):"
    program, is_same = PROGRAMS[case]
    assert (trip.difference(program, described.calls).result() is None) is is_same


NOT_RUN = {
    "class": "class A:\n    def f(self):\n        return 1",
    "constant": "def f(x):\n    return 7",
    "random": "import random\n\n\ndef f(x):\n    return random.random()",
    "prints": "def f(x):\n    print(x)",
    "stranger": "import nothing_like_it\n\n\ndef f(x):\n    return x",
    "no Python": "fn main() {}",
    "files": "def f(x):\n    return open('/etc/passwd').read() + str(x)",
}


@pytest.mark.parametrize("case", NOT_RUN)
def test_code_of_which_nothing_can_be_told(trip: RoundTrip, case: str) -> None:
    found = trip.look(NOT_RUN[case], "").result()
    assert isinstance(found, NotRun) and not found.is_wrong and found.detail


@pytest.mark.parametrize("wrong", ["3", "'2'", "[2]"])
def test_code_that_breaks_its_own_doctest_is_wrong(trip: RoundTrip, wrong: str) -> None:
    found = trip.look(MEDIAN.replace("    2\n    >>>", f"    {wrong}\n    >>>"), "").result()
    assert isinstance(found, NotRun) and found.is_wrong and "its own example" in found.detail


def test_the_function_that_no_other_calls_is_the_one_that_is_described(trip: RoundTrip) -> None:
    code = "def total(xs):\n    return sum(map(double, xs))\n\n\ndef double(x):\n    return 2 * x\n"
    found = trip.look(code, "").result()
    assert isinstance(found, Described) and found.signature == "def solution(xs):"


def test_arguments_that_no_guess_would_find_come_from_the_usage(trip: RoundTrip) -> None:
    code = "def f(when):\n    day, month = when.split('/')\n    return int(day) + 31 * int(month)\n"
    assert isinstance(trip.look(code, "").result(), NotRun)
    found = trip.look(code, ">>> f('1/2')\n63\n>>> f('3/4')\n127\n>>> f('5/6')\n191\n").result()
    assert isinstance(found, Described) and len(found.calls.arguments) == 3


DEEP = {
    "lambda": "lambda: " * 2000 + "1",
    "conditional": "1 if 1 else " * 2000 + "1",
    "minus": "-" * 9000 + "1",
    "not": "not " * 4000 + "1",
    "sum": "1" + "+1" * 5000,
    "attribute": "a" + ".b" * 5000,
    "list": "[" * 180 + "]" * 180,
    "format": "f'{" * 50 + "}'" * 50,
}


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP.keys())
def test_what_is_nested_too_deeply_ends_nothing(trip: RoundTrip, deep: str) -> None:
    for code in (
        f"def f(x={deep}):\n    return x\n",
        f"def f(x: {deep}):\n    return x\n",
        f"def f(x) -> ({deep}):\n    return x\n",
        f"def f(x):\n    return x\nf({deep})\n",
    ):
        found = trip.look(code, f">>> f({deep})\n{deep}\n").result()
        assert isinstance(found, Described | NotRun)

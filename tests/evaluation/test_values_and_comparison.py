"""Values cross the wall unchanged, and outputs are compared as EvalPlus compares them."""

import collections
import enum
import math
from typing import Any

import pytest

from evaluation.comparison import same_encoded, same_output
from evaluation.values import Unsupported, decode, encode


@pytest.mark.parametrize(
    "value",
    [
        None,
        False,
        0,
        -(2**63),
        2**63,
        -(10**4000),
        1.5,
        -0.0,
        math.inf,
        "",
        "ü\0\ud800",
        b"\xff",
        1 + 2j,
        [],
        (),
        (1,),
        {},
        {1: "a", (2, 3): [None]},
        set(),
        {1, 2},
        frozenset({"x"}),
        [[1, (2, {"k": {3}})]],
        {"u": "int"},
    ],
)
def test_round_trip_keeps_value_and_type(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert repr(back) == repr(value) if isinstance(value, float) else type(back) is type(value)


def test_nan_comes_back_as_one_object() -> None:
    assert decode(encode([math.nan])) == decode(encode([math.nan]))


def test_subclasses_are_taken_by_content() -> None:
    class Liar(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Color(enum.IntEnum):
        RED = 7

    assert decode(encode([Liar(3), Color.RED, collections.Counter("aa")])) == [3, 7, {"a": 2}]


def test_other_types_equal_nothing() -> None:
    one, other = decode(encode(iter([]))), decode(encode(iter([])))
    assert isinstance(one, Unsupported)
    assert one != other
    assert not same_encoded(encode(map).encode(), encode(map).encode(), 0)
    assert same_encoded(encode('{"u":').encode(), encode('{"u":').encode(), 0)


@pytest.mark.parametrize("text", ["", "[1", '{"t": 1}', '{"x": []}', '{"t": [], "s": []}', '{"s": [[]]}', "9" * 5000])
def test_malformed_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


def test_malformed_nesting_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        decode("[" * 100_000)


@pytest.mark.parametrize(
    ("expected", "actual", "atol", "same"),
    [
        (1, 1.0, 0, True),
        (1, True, 0, True),
        ([1], (1,), 0, False),
        (1.0, 1.0 + 9e-7, 0, True),
        (1.0, 1.0 + 2e-6, 0, False),
        (1e8, 1e8 + 9, 0, True),
        (1e8, 1e8 + 11, 0, False),
        (2.0, 2, 0, True),
        (2.0000001, 2, 0, False),
        ([1.0, 2.0], [1.0000001, 2], 0, True),
        ([1.0, 2.0], [1.0000001], 0, False),
        ([1.0, 2.0], (1.0000001, 2.0), 0, False),
        ([1.0, 2], [1.0000001, 2], 0, False),
        ([1.0, 2], [1.0000001, 2], 1e-6, True),
        ([[1.0]], [[1.0000001]], 1e-6, True),
        (5, 5.00001, 1e-4, False),
        (5.0, 5.00001, 1e-4, True),
        (math.nan, math.nan, 0, True),
        ([math.nan, 1.0], [math.nan, 1.0000001], 0, True),
        (math.inf, 1e308, 0, False),
        (math.inf, math.inf, 0, True),
        (1.0, "1.0", 0, False),
        ([1.0], ["x"], 0, False),
        ([1.0], [10**400], 0, False),
        ({1}, frozenset({1}), 0, True),
    ],
)
def test_when_outputs_are_the_same(expected: object, actual: object, atol: float, same: bool) -> None:
    assert same_output(expected, actual, atol) is same
    assert same_encoded(encode(expected).encode(), encode(actual).encode(), atol) is same

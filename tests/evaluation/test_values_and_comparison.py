"""Values cross the wall unchanged, and outputs are compared as EvalPlus compares them."""

import collections
import enum
import itertools
import math
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pytest

from evaluation.comparison import Comparison
from evaluation.values import Unsupported, decode, encode, encode_output


def same_encoded(expected: object, actual: object, atol: float = 0) -> bool:
    return Comparison((encode(expected).encode(),), atol, None).accepts(0, (), encode(actual).encode())


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
    one, other = decode(encode(object())), decode(encode(object()))
    assert isinstance(one, Unsupported)
    assert one != other
    assert decode(encode(iter([1]))) != [1]
    assert list(decode(encode(iter([1])))) == [1]
    assert not same_encoded(map, map)
    assert same_encoded('{"u":', '{"u":')


@pytest.mark.parametrize("text", ["", "[1", '{"t": 1}', '{"x": []}', '{"t": [], "s": []}', '{"s": [[]]}', "9" * 5000])
def test_malformed_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"r": ["1e900000", null]}',
        '{"r": ["1", 2]}',
        '{"r": [1, 0]}',
        '{"r": [{"i": "0x' + "f" * 3_000_000 + '"}, 3]}',
        '{"s": [' + ", ".join(str(number * (2**61 - 1)) for number in range(100_000)) + "]}",
        '{"d": [' + ", ".join(f"[{number * (2**61 - 1)}, 0]" for number in range(100_000)) + "]}",
    ],
    ids=lambda text: text[:20],
)
def test_values_made_to_take_time_are_not_built(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError):
        decode(text)
    assert time.process_time() - started < 2


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
    assert same_encoded(expected, actual, atol) is same


def test_numbers_of_other_types_are_equal_but_get_no_tolerance() -> None:
    assert same_encoded(2.5, numpy.float64(2.5))
    assert same_encoded(2.5, 2.5000001)
    assert not same_encoded(2.5, numpy.float64(2.5000001))
    assert same_encoded(True, numpy.bool_(True))
    assert same_encoded(0.5, Fraction(1, 2)) and same_encoded(5, Decimal(5))
    assert not same_encoded(0.1, Decimal("0.1"))


def test_views_of_dictionaries_are_sets() -> None:
    assert same_encoded({1, 2}, {1: 0, 2: 0}.keys())
    assert not same_encoded([1, 2], {1: 0, 2: 0}.keys())


def test_endless_iterators_are_unsupported() -> None:
    assert isinstance(decode(encode(itertools.count())), Unsupported)


def test_large_outputs_are_digests() -> None:
    text = encode_output(["x"] * 900_000)
    assert len(text) < 200
    assert decode(text) == decode(encode_output(["x" for _ in range(900_000)]))
    assert decode(text) != decode(encode_output(["x"] * 900_001))
    assert decode(encode_output([1])) == [1]


@pytest.mark.parametrize("length", [400_000, pytest.param(480_000, marks=pytest.mark.slow), 600_000])
def test_equal_numbers_of_other_types_are_equal_in_large_outputs_too(length: int) -> None:
    numbers = list(range(-1, length - 1))
    expected = decode(encode_output(numbers))
    for same in (
        [float(number) for number in numbers],
        [-0.0 if number == 0 else number for number in numbers],
        list(numpy.array(numbers)),
        [bool(number) if number in (0, 1) else number for number in numbers],
    ):
        assert decode(encode_output(same)) == expected
    for other in (numbers[::-1], tuple(numbers), numbers[:-1], [*numbers[:-1], 0.5], [*numbers[:-1], "x"]):
        assert decode(encode_output(other)) != expected


def test_large_outputs_keep_numbers_that_no_double_holds_apart() -> None:
    huge = [2**53] * 600_000
    expected = decode(encode_output([*huge, 2**53 + 1]))
    assert decode(encode_output([*map(float, huge), 2**53 + 1])) == expected
    assert decode(encode_output([*huge, 2**53])) != expected
    assert decode(encode_output([*huge, math.inf])) == decode(encode_output([*map(float, huge), math.inf])) != expected

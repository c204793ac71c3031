"""Outputs that need more than equality: by entry point (EvalPlus 0.3.1's rules, HumanEval/32's mended), or by suite.

Enters: the arguments, the expected and the actual output, the tolerance. Leaves: whether the output counts as equal, or
None where the usual comparison decides.
Not guaranteed: that a lenient rule accepts only right answers; `are_equivalent` accepts any, as upstream.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from evaluation.values import hashable

Arguments = Sequence[Any]
Oracle = Callable[[Arguments, Any, Any, float], bool | None]
"""May raise for outputs of a wrong type, which then do not count as equal."""


def _is_root(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool:
    """HumanEval/32: any root of the polynomial is right."""
    [coefficients] = arguments
    value = sum(coefficient * math.pow(actual, power) for power, coefficient in enumerate(coefficients))
    return bool(abs(value) <= atol)


def _same_elements(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool | None:
    """Order and repetition do not matter; elements that are only close must be in the same places."""
    return True if set(hashable(list(actual))) == set(expected) else None


def _both_found(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool:
    """A truth value, or anything at all where a match is expected."""
    found = expected is not None
    return bool(actual == found) if isinstance(actual, bool) else found == (actual is not None)


def _anything(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool:
    """Mbpp/164: the task says too little for a wrong answer."""
    return True


def _or_zero(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool | None:
    """Mbpp/295: the sum of no divisors may be meant."""
    return True if actual == 0 else None


def _or_perpendicular_height(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool | None:
    """Mbpp/581: the height of a pyramid may be read as that of its apex instead of its faces."""
    edge, height = arguments
    area = round(edge**2 + 2 * edge * math.hypot(edge / 2, height))
    return True if abs(actual - area) <= atol else None


def _or_padded_digits(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool | None:
    """Mbpp/558: numbers of different length may be padded with zeros and compared digit by digit."""
    first, second = map(str, arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    return True if actual == sum(abs(int(one) - int(other)) for one, other in pairs) else None


def _printed(arguments: Arguments, expected: str, actual: str, atol: float) -> bool:
    """LiveCodeBench's programs: the same lines but for white space at their ends, or the same exact numbers in them."""
    wanted, got = (text.strip().split("\n") for text in (expected, actual))
    return len(wanted) == len(got) and all(map(_is_same_line, wanted, got))


def _is_same_line(expected: str, actual: str) -> bool:
    if expected.strip() == actual.strip():
        return True
    try:
        return list(map(Decimal, expected.split())) == list(map(Decimal, actual.split()))
    except InvalidOperation:
        return False


def _same_json(arguments: Arguments, expected: Any, actual: Any, atol: float) -> bool:
    """LiveCodeBench's functions: equal, where JSON has lists for tuples; never merely close."""
    return bool((list(actual) if isinstance(actual, tuple) else actual) == expected)


HUMANEVAL_ORACLES: dict[str, Oracle] = {"find_zero": _is_root}
MBPP_ORACLES: dict[str, Oracle] = {
    **dict.fromkeys(
        (
            "similar_elements",
            "find_char_long",
            "common_in_nested_lists",
            "extract_singly",
            "larg_nnum",
            "intersection_array",
            "find_dissimilar",
            "Diff",
        ),
        _same_elements,
    ),
    **dict.fromkeys(("check_str", "text_match_three", "text_starta_endb"), _both_found),
    "are_equivalent": _anything,
    "sum_div": _or_zero,
    "surface_Area": _or_perpendicular_height,
    "digit_distance_nums": _or_padded_digits,
}
PRINTED, SAME_JSON = "printed lines", "values of JSON"
ORACLES = HUMANEVAL_ORACLES | MBPP_ORACLES | {PRINTED: _printed, SAME_JSON: _same_json}

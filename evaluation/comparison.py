"""When two outputs count as equal: Python equality, or closeness where floats are expected.

Follows EvalPlus 0.3.1: plain ``==`` decides first, or the problem's own rule (see `oracles`). Otherwise a tolerance
applies where the problem has one (`atol` above 0); and 1e-6 from the first input on whose expected output is a float or
a non-empty list or tuple of floats. The types, and the lengths of lists and tuples, must then be the same.

Differs from EvalPlus 0.3.1 on purpose: NaN equals NaN.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from evaluation.values import Unsupported, decode, is_comparable

_FLOAT_ATOL = 1e-6
_RTOL = 1e-7


def read_output(text: bytes) -> object:
    """Return the value of an encoded output; text that no honest program sends equals nothing."""
    try:
        return decode(text)
    except ValueError:
        return Unsupported("unreadable")


class Comparison:
    """Compares the outputs of one run with the expected ones; decodes only where it must."""

    def __init__(self, expected: tuple[bytes, ...], atol: float, rule: Callable[..., bool | None] | None) -> None:
        """Prepare for one run; `expected` are its encoded outputs, `rule` is the problem's own, if it has one."""
        self._expected = expected
        self._atol = atol
        self._rule = rule

    def is_same_text(self, number: int, actual: bytes) -> bool:
        """Tell whether `actual` (encoded) is acceptable for input `number` without being decoded."""
        expected = self._expected[number]
        return expected == actual and is_comparable(expected)

    def accepts(self, number: int, arguments: Any, actual: bytes) -> bool:
        """Tell whether `actual` (encoded) is acceptable for input `number`, which was called with `arguments`.

        What a program wrote can be made to take hours here; see `comparison_process`.
        """
        if self.is_same_text(number, actual):
            return True
        wanted, got = read_output(self._expected[number]), read_output(actual)
        if self._rule is not None:
            try:
                decided = self._rule(arguments, wanted, got, self._tolerance(number - 1))
            except Exception:  # a rule for right outputs may meet anything here
                return False
            if decided is not None:
                return decided
        return same_output(wanted, got, self._tolerance(number))

    def _tolerance(self, number: int) -> float:
        """Return the tolerance once input `number` was looked at."""
        if self._atol > 0:
            return self._atol
        start = _first_floats(self._expected)
        return _FLOAT_ATOL if start is not None and start <= number else 0.0


def same_output(expected: object, actual: object, atol: float) -> bool:
    """Tell whether `actual` is an acceptable output where `expected` is right; both are plain or numpy's values."""
    try:
        return actual is expected or bool(actual == expected) or (atol > 0 and _is_close(expected, actual, atol))
    except (RecursionError, ValueError, TypeError):  # nested too deeply, or an array of several truth values
        return False


@lru_cache(maxsize=2048)
def _first_floats(encoded: tuple[bytes, ...]) -> int | None:
    return next((number for number, text in enumerate(encoded) if _is_floats(read_output(text))), None)


def _is_floats(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _is_close(expected: object, actual: object, atol: float) -> bool:
    if type(expected) is not type(actual):
        return False
    return _all_close(expected, actual, atol)


def _all_close(expected: object, actual: object, atol: float) -> bool:
    """Tell whether two numbers, or sequences of them at any depth, are close; anything else never is."""
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(_all_close(one, other, atol) for one, other in pairs)
    if not isinstance(expected, int | float | complex) or not isinstance(actual, int | float | complex):
        return False
    if expected == actual or (expected != expected and actual != actual):  # infinities, NaN
        return True
    try:
        return abs(actual - expected) <= atol + _RTOL * abs(expected) < math.inf
    except OverflowError:
        return False

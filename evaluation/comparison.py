"""When two outputs count as equal: Python equality, or closeness where floats are expected.

Follows EvalPlus: plain ``==`` decides first. Otherwise a tolerance applies where the problem has one (`atol` above
0), and 1e-6 applies wherever the expected output is a float or a non-empty list or tuple of floats; the types, and
the lengths of lists and tuples, must then be the same.

Differs from EvalPlus 0.3.1 on purpose: the tolerance is decided per input and does not stay on for a problem's later
inputs, NaN equals NaN, and there are no per-problem rules.
"""

import math

from evaluation.values import Unsupported, decode, is_comparable

_FLOAT_ATOL = 1e-6
_RTOL = 1e-7


def read_output(text: bytes) -> object:
    """Return the value of an encoded output; text that no honest program sends equals nothing."""
    try:
        return decode(text)
    except ValueError:
        return Unsupported("unreadable")


def same_encoded(expected: bytes, actual: bytes, atol: float) -> bool:
    """Tell whether `actual` is acceptable where `expected` is right, both encoded; decodes only where it must."""
    if expected == actual and is_comparable(expected):
        return True
    return same_output(read_output(expected), read_output(actual), atol)


def same_output(expected: object, actual: object, atol: float) -> bool:
    """Tell whether `actual` is an acceptable output where `expected` is right; both are plain values."""
    try:
        if actual is expected or bool(actual == expected):
            return True
        if atol == 0 and _is_floats(expected):
            atol = _FLOAT_ATOL
        return atol > 0 and _is_close(expected, actual, atol)
    except RecursionError:
        return False


def _is_floats(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _is_close(expected: object, actual: object, atol: float) -> bool:
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(_is_number_close(one, other, atol) for one, other in pairs)
    return _is_number_close(expected, actual, atol)


def _is_number_close(expected: object, actual: object, atol: float) -> bool:
    if isinstance(expected, list | tuple):
        return _is_close(expected, actual, atol)
    if not isinstance(expected, int | float) or not isinstance(actual, int | float):
        return expected == actual
    if expected == actual or (math.isnan(expected) and math.isnan(actual)):
        return True
    try:
        return abs(actual - expected) <= atol + _RTOL * abs(expected) < math.inf
    except OverflowError:
        return False

"""Plain Python values as text, so that nothing executable ever crosses the wall of the sandbox.

Enters: any object a generated program returned, or an argument list of a benchmark.
Leaves: ASCII JSON. None, booleans, small integers, floats, strings and lists are themselves; every other
type is an object with one key, its tag.

A value is taken by the *content* of its plain base type, read with that type's own methods: a ``Counter`` is
a dict, and an ``int`` subclass that claims to equal everything is the number it holds. Numbers of another type, such
as numpy's, come back as subclasses that tell them from plain ones; exact ones (``Decimal``) as fractions; iterators
and arrays as ``Elements``, which equals nothing but can be gone through. Other types become ``Unsupported``.

An output of many megabytes comes back as its `Digest`, equal to that of the same content: millions of elements take
longer to carry than to make.

Not guaranteed: that equal numbers of different types count as equal inside such large outputs, unless these are flat
lists or tuples of real numbers; that subclasses come back as themselves, that bytes and bytearray stay apart, or that
two adjacent lone surrogates stay two characters.
"""

import hashlib
import json
import marshal
import math
import sys
from array import array
from collections import Counter, deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass
from itertools import islice
from typing import Any

_LARGEST_PLAIN_INTEGER = 2**63
_LARGEST_CARRIED_BYTES = 4_000_000
_MANY_NUMBERS = _LARGEST_CARRIED_BYTES // 8
"""Longer lists and tuples of numbers are digested; the bytes that they take depend on the types of the numbers."""
_LARGEST_EXACT_DOUBLE = 2**53
_MOST_ELEMENTS = 1_000_000
"""Longer iterators are unsupported outputs."""
_MOST_OF_ONE_HASH = 64
"""Unlike elements of a set, or keys, that may have the same hash: what is looked up among them takes quadratic time."""
_MOST_BITS_OF_A_FRACTION = 1 << 17
"""Of each part: reducing takes quadratic time."""


class Unsupported:
    """Stands for an output whose type cannot be compared; it is equal to no value, not even to its like."""

    def __init__(self, type_name: str) -> None:
        """Keep the name of the type for the report."""
        self.type_name = type_name

    def __repr__(self) -> str:
        """Show the type that could not be carried."""
        return f"<unsupported output of type {self.type_name}>"


class Elements:
    """What an iterator or an array held; it is equal to no value."""

    def __init__(self, items: list[object]) -> None:
        """Keep the items."""
        self._items = items

    def __iter__(self) -> Iterator[object]:
        """Go through the items."""
        return iter(self._items)

    def __repr__(self) -> str:
        """Show that this is no list."""
        return f"<elements {self._items!r}>"


@dataclass(frozen=True)
class Digest:
    """Stands for a large value."""

    type_name: str
    size_bytes: int
    sha256: str


class OtherInt(int):
    """An integer or truth value of a type that is not Python's own."""


class OtherFloat(float):
    """A number of a type that is not Python's own float."""


def encode(value: object) -> str:
    """Return `value` as tagged JSON; never raises for depth or cycles, which count as unsupported."""
    try:
        return json.dumps(_to_plain(value), separators=(",", ":"))
    except RecursionError:
        return json.dumps({"u": type(value).__name__ + " (nested too deeply)"})


def encode_output(value: object) -> str:
    """Return `value` as tagged JSON, or the `Digest` of one with many megabytes."""
    if isinstance(value, list | tuple) and len(value) > _MANY_NUMBERS and _are_real(value):
        return _digest("list" if isinstance(value, list) else "tuple", _numbers_to_bytes(value))
    try:
        content = marshal.dumps(value, 2)  # type: ignore[arg-type]  # plain types only: nothing of the program's runs
    except ValueError:
        return encode(value)
    if len(content) <= _LARGEST_CARRIED_BYTES or (isinstance(value, list | tuple) and _are_real(value)):
        return encode(value)
    return _digest(type(value).__name__, content)


def _digest(type_name: str, content: bytes) -> str:
    return json.dumps({"h": [type_name, len(content), hashlib.sha256(content).hexdigest()]})


def _are_real(values: list[Any] | tuple[Any, ...]) -> bool:
    numpy = sys.modules.get("numpy")
    real = (int, float) if numpy is None else (int, float, numpy.integer, numpy.floating, numpy.bool_)
    return all(issubclass(kind, real) for kind in set(map(type, values)))


def _numbers_to_bytes(values: Any) -> bytes:
    """Return the same bytes for numbers that are equal, whatever their types."""
    if max(map(abs, values)) <= _LARGEST_EXACT_DOUBLE:
        return array("d", [number or 0 for number in values]).tobytes()  # -0.0 becomes 0
    return marshal.dumps([int(number) if number % 1 == 0 else float(number) for number in values], 2)


def decode(text: str | bytes) -> Any:
    """Return the value that `encode` wrote.

    All NaN share one object, so containers holding NaN in the same places compare equal.

    Raises:
        ValueError: the text is not what `encode` writes.
    """
    try:
        return json.loads(text, object_hook=_from_tag, parse_constant=_CONSTANTS.__getitem__)
    except (TypeError, KeyError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"not an encoded value: {error}") from None


def is_comparable(text: bytes) -> bool:
    """Tell whether an encoded value is without parts that equal nothing; inside a string the quotes are escaped."""
    return b'{"u":' not in text and b'{"e":' not in text


_CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _to_plain(value: object) -> object:
    if value is None or value is True or value is False:
        return value
    for base, convert in _ENCODERS:
        if isinstance(value, base):
            return convert(value)
    exact = _exact_number(value)
    if exact is not None:
        return {"r": [_to_plain(part) for part in exact]}
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and isinstance(value.item(), int | float):
        return {"n": _to_plain(value.item())}
    if isinstance(value, Iterator | range | deque | ValuesView) or (
        numpy is not None and isinstance(value, numpy.ndarray) and value.ndim
    ):
        items = list(islice(iter(value), _MOST_ELEMENTS + 1))
        if len(items) <= _MOST_ELEMENTS:
            return {"e": [_to_plain(item) for item in items]}
    return {"u": type(value).__name__}


def _exact_number(value: object) -> tuple[int, int] | None:
    """Return a Fraction or a finite Decimal as numerator and denominator, without importing either."""
    for module, name in (("fractions", "Fraction"), ("decimal", "Decimal")):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and type(value) is kind:
            try:
                return kind.as_integer_ratio(value)  # type: ignore[attr-defined,no-any-return]
            except (ValueError, OverflowError):
                return None
    return None


def _integer_to_plain(value: int) -> object:
    number = int.__index__(value)
    plain = number if abs(number) < _LARGEST_PLAIN_INTEGER else {"i": hex(number)}
    return plain if type(value) is int else {"n": plain}


def _float_to_plain(value: float) -> object:
    return value if type(value) is float else {"n": float.__float__(value)}


def _elements(iterate: Callable[[Any], Any]) -> Callable[[Any], list[object]]:
    return lambda value: [_to_plain(item) for item in iterate(value)]


def _tagged(tag: str, convert: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: {tag: convert(value)}


# Base types in the order they are tried, each with a conversion that ignores what a subclass overrides.
_ENCODERS: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (int, _integer_to_plain),
    (str, str.__str__),
    (float, _float_to_plain),
    (list, _elements(list.__iter__)),
    (tuple, _tagged("t", _elements(tuple.__iter__))),
    (dict, _tagged("d", lambda value: [[_to_plain(key), _to_plain(item)] for key, item in dict.items(value)])),
    (set, _tagged("s", _elements(set.__iter__))),
    (frozenset, _tagged("f", _elements(frozenset.__iter__))),
    (KeysView, _tagged("f", _elements(iter))),
    (ItemsView, _tagged("f", _elements(iter))),
    (bytes, _tagged("b", lambda value: bytes.hex(value))),
    (bytearray, _tagged("b", lambda value: bytearray.hex(value))),
    (complex, _tagged("c", lambda value: [complex.__complex__(value).real, complex.__complex__(value).imag])),
)

_DECODERS: dict[str, Callable[[Any], object]] = {
    "i": lambda digits: int(digits, 16),
    "t": tuple,
    "d": lambda pairs: dict(zip(hashable([key for key, _ in pairs]), [value for _, value in pairs], strict=True)),
    "s": lambda items: set(hashable(items)),
    "f": lambda items: frozenset(hashable(items)),
    "b": bytes.fromhex,
    "c": lambda parts: complex(*parts),
    "n": lambda number: OtherFloat(number) if isinstance(number, float) else OtherInt(number),
    "r": lambda parts: _fraction(*parts),
    "e": Elements,
    "h": lambda parts: Digest(*parts),
    "u": Unsupported,
}


def hashable(items: list[Any]) -> list[Any]:
    """Return the items, of which a set may be made.

    Raises:
        ValueError: they were made to have the same hash, with which that takes hours.
        TypeError: one has no hash.
    """
    if max(Counter(map(hash, items)).values(), default=0) > _MOST_OF_ONE_HASH:
        unlike: dict[int, list[Any]] = {}
        for item in items:
            known = unlike.setdefault(hash(item), [])
            if item not in known:
                known.append(item)
            if len(known) > _MOST_OF_ONE_HASH:
                raise ValueError("elements were made to have the same hash")
    return items


def _fraction(*parts: int) -> object:
    from fractions import Fraction  # not needed inside the sandbox, where it would cost every start some time

    if any(type(part) is not int or part.bit_length() > _MOST_BITS_OF_A_FRACTION for part in parts):
        raise ValueError("not the parts of a fraction, or very long ones")
    return Fraction(*parts)


def _from_tag(tagged: dict[str, Any]) -> object:
    [(tag, content)] = tagged.items()
    return _DECODERS[tag](content)

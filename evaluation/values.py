"""Plain Python values as text, so that nothing executable ever crosses the wall of the sandbox.

Enters: any object a generated program returned, or an argument list of a benchmark.
Leaves: ASCII JSON. None, booleans, small integers, floats, strings and lists are themselves; every other
type is an object with one key, its tag.

A value is taken by the *content* of its plain base type, read with that type's own methods: a ``Counter`` is
a dict, and an ``int`` subclass that claims to equal everything is the number it holds, in a subclass that tells it
from a plain one. Exact numbers (``Decimal``) come back as fractions; numpy's scalars and arrays as themselves, so that
they are equal to what numpy says; iterators as ``Elements``, which equals nothing but can be gone through. Other types
become ``Unsupported``.

An output of many megabytes comes back as its `Digest`, equal to that of the same content: millions of elements take
longer to carry than to make.

Not guaranteed: that equal numbers of different types count as equal inside such large outputs, unless these are flat
lists or tuples of real numbers; that subclasses come back as themselves, that bytes and bytearray stay apart, or that
two adjacent lone surrogates stay two characters. Values can be made to take hours to decode or to compare (sets of
numbers that collide): whoever decodes what a program wrote does so in a process that can be killed.
"""

import hashlib
import json
import marshal
import math
import sys
from array import array
from collections import Counter, deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from functools import lru_cache, partial
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
_NUMPY_KINDS = frozenset("biufcSU")
"""Of scalars and arrays that are carried as their bytes: numbers, truth values and text."""

Other = Callable[[object], object]
"""Returns the JSON of a value of no plain type."""
Converter = Callable[[Any, Other], object]


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
    """An integer of a type that is not Python's own."""


class OtherFloat(float):
    """A number of a type that is not Python's own float."""


def encode(value: object, other: Other | None = None) -> str:
    """Return `value` as tagged JSON; never raises for depth or cycles, which count as unsupported.

    `other` says what stands for a part whose type is none of the plain ones; without it such a part is taken by
    content, or is `Unsupported`.
    """
    try:
        return json.dumps(to_plain(value, other or _by_content), separators=(",", ":"))
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


def decode(text: str | bytes, tags: Mapping[str, Callable[[Any], object]] | None = None) -> Any:
    """Return the value that `encode` wrote; `tags` are those of the parts that its `other` wrote.

    All NaN share one object, so containers holding NaN in the same places compare equal.

    Raises:
        ValueError: the text is not what `encode` writes.
    """
    try:
        known = {**_DECODERS, **tags} if tags else _DECODERS
        return json.loads(text, object_hook=partial(_from_tag, known), parse_constant=_CONSTANTS.__getitem__)
    except (TypeError, KeyError, IndexError, RecursionError, ArithmeticError, ImportError) as error:
        raise ValueError(f"not an encoded value: {error}") from None


def is_comparable(text: bytes) -> bool:
    """Tell whether an encoded value is without parts that equal nothing; inside a string the quotes are escaped."""
    return b'{"u":' not in text and b'{"e":' not in text


_CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_plain(value: object, other: Other) -> object:
    """Return the JSON of one value."""
    convert = _BY_TYPE.get(type(value))
    return convert(value, other) if convert else other(value)


def _by_content(value: object) -> object:
    numeric = numpy_to_plain(value, _by_content)
    if numeric is not None:
        return numeric
    for base, convert in _BY_TYPE.items():
        if isinstance(value, base):
            plain = convert(value, _by_content)
            return {"n": plain} if base in (int, float) else plain
    exact = _exact_number(value)
    if exact is not None:
        return {"r": [to_plain(part, _by_content) for part in exact]}
    if isinstance(value, KeysView | ItemsView):
        return {"f": [to_plain(item, _by_content) for item in value]}
    if isinstance(value, Iterator | range | deque | ValuesView):
        items = list(islice(iter(value), _MOST_ELEMENTS + 1))
        if len(items) <= _MOST_ELEMENTS:
            return {"e": [to_plain(item, _by_content) for item in items]}
    return {"u": type(value).__name__}


def numpy_to_plain(value: object, other: Other) -> object:
    """Return the JSON of a scalar or an array of numpy's, or None for any other value."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.generic) and value.dtype.kind in _NUMPY_KINDS:
        number = value.item()
        return {"g": [value.dtype.str, number if type(number) in (bool, int, float) else value.tobytes().hex()]}
    if isinstance(value, numpy.ndarray):
        if value.dtype.kind in _NUMPY_KINDS:
            return {"a": [value.dtype.str, list(value.shape), value.tobytes().hex()]}
        if value.dtype.kind == "O":
            return {"o": [list(value.shape), [to_plain(item, other) for item in value.ravel().tolist()]]}
    return None


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


def _integer(value: Any, other: Other) -> object:
    number = int.__index__(value)
    return number if abs(number) < _LARGEST_PLAIN_INTEGER else {"i": hex(number)}


def _elements(iterate: Callable[[Any], Any]) -> Converter:
    return lambda value, other: [to_plain(item, other) for item in iterate(value)]


def _tagged(tag: str, convert: Converter) -> Converter:
    return lambda value, other: {tag: convert(value, other)}


def _pairs(value: dict[Any, Any], other: Other) -> object:
    return [[to_plain(key, other), to_plain(item, other)] for key, item in dict.items(value)]


# The plain types, each with a conversion that ignores what a subclass overrides.
_BY_TYPE: dict[type, Converter] = {
    type(None): lambda value, other: None,
    bool: lambda value, other: value,
    int: _integer,
    str: lambda value, other: str.__str__(value),
    float: lambda value, other: float.__float__(value),
    list: _elements(list.__iter__),
    tuple: _tagged("t", _elements(tuple.__iter__)),
    dict: _tagged("d", _pairs),
    set: _tagged("s", _elements(set.__iter__)),
    frozenset: _tagged("f", _elements(frozenset.__iter__)),
    bytes: _tagged("b", lambda value, other: bytes.hex(value)),
    bytearray: _tagged("y", lambda value, other: bytearray.hex(value)),
    complex: _tagged("c", lambda value, other: [complex.__complex__(value).real, complex.__complex__(value).imag]),
}

_DECODERS: dict[str, Callable[[Any], object]] = {
    "i": lambda digits: int(digits, 16),
    "t": tuple,
    "d": lambda pairs: dict(zip(hashable([key for key, _ in pairs]), [value for _, value in pairs], strict=True)),
    "s": lambda items: set(hashable(items)),
    "f": lambda items: frozenset(hashable(items)),
    "b": bytes.fromhex,
    "y": bytearray.fromhex,
    "c": lambda parts: complex(*parts),
    "n": lambda number: OtherFloat(number) if isinstance(number, float) else OtherInt(number),
    "r": lambda parts: _fraction(*parts),
    "g": lambda parts: _numpy_scalar(*parts),
    "a": lambda parts: _numpy_array(*parts),
    "o": lambda parts: _object_array(*parts),
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


@lru_cache(maxsize=64)
def _numpy_type(name: str) -> Any:
    import numpy  # not needed where no value is numpy's

    kind = numpy.dtype(name)
    if kind.kind not in _NUMPY_KINDS:
        raise ValueError(f"not a type of numbers or text: {name!r}")
    return kind


def _numpy_scalar(name: str, content: float | str) -> Any:
    return _numpy_array(name, (), content)[()] if isinstance(content, str) else _numpy_type(name).type(content)


def _numpy_array(name: str, shape: Sequence[int], content: str) -> Any:
    import numpy

    return numpy.frombuffer(bytearray.fromhex(content), _numpy_type(name)).reshape(tuple(shape))


def _object_array(shape: Sequence[int], items: list[object]) -> Any:
    import numpy

    array = numpy.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array.reshape(tuple(shape))


def _from_tag(known: Mapping[str, Callable[[Any], object]], tagged: dict[str, Any]) -> object:
    [(tag, content)] = tagged.items()
    return known[tag](content)

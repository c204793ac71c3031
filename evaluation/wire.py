"""Values between the process of a program and the process of its tests, as text.

Enters: what one side hands to the other: arguments, results, exceptions. Leaves: JSON, in which plain data, numpy's
values and a few types of the standard library are copies, its modules, exceptions and classes of plain data are names,
and all else is a handle: a number by which the other side names the thing without having it.

Nothing that is read here is executed: a copy is made by one of the constructors below, a name is looked up among what
both sides may name. Constants, functions and other classes are not: the library has some that are equal to everything,
change how it imports, or load code from a file.

Not guaranteed: that a copy is of the same class where that is a subclass of the program's own (it is a handle then), or
that two copies of one list are one list.
"""

import collections
import datetime
import decimal
import fractions
import importlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from evaluation.values import Other, decode, encode, numpy_to_plain, to_plain

_NAMED_PACKAGES = (sys.stdlib_module_names | {"numpy"}) - {"unittest"}
"""Whose modules and exceptions are named. One of unittest's exceptions has a test skipped."""
_DATA_MODULES = frozenset(
    ("builtins", "collections", "collections.abc", "datetime", "decimal", "enum", "fractions", "numbers", "re")
)
"""Whose classes are named."""
_FACTORIES: Mapping[str, Any] = {kind.__name__: kind for kind in (int, float, str, list, dict, set, tuple)} | {"": None}
"""Of default dictionaries: others are not copied, but for their items."""

Make = Callable[..., object]
Take = Callable[[Any], list[object]]


def _bounds(value: Any) -> list[object]:
    return [value.start, value.stop, value.step]


def _iso(value: Any) -> list[object]:
    return [value.isoformat()]


def _factory_name(factory: Any) -> str:
    return next((name for name, known in _FACTORIES.items() if known is factory), "")


def _defaultdict(name: str, items: dict[Any, Any]) -> object:
    return collections.defaultdict(_FACTORIES[name], items)


_COPIED: Mapping[type, tuple[Take, Make]] = {
    range: (_bounds, range),
    slice: (_bounds, slice),
    fractions.Fraction: (lambda value: [value.numerator, value.denominator], fractions.Fraction),
    decimal.Decimal: (lambda value: [str(value)], decimal.Decimal),
    datetime.date: (_iso, datetime.date.fromisoformat),
    datetime.time: (_iso, datetime.time.fromisoformat),
    datetime.datetime: (_iso, datetime.datetime.fromisoformat),
    datetime.timedelta: (lambda value: [value.days, value.seconds, value.microseconds], datetime.timedelta),
    collections.Counter: (lambda value: [dict(value)], collections.Counter),
    collections.OrderedDict: (lambda value: [list(value.items())], collections.OrderedDict),
    collections.deque: (lambda value: [list(value), value.maxlen], collections.deque),
    collections.defaultdict: (lambda value: [_factory_name(value.default_factory), dict(value)], _defaultdict),
}
"""Types that are copied, each with what tells the arguments it is made of, and what makes it of them."""
_BY_NAME = {kind.__name__: make for kind, (_, make) in _COPIED.items()}


def write(value: object, handle: Other) -> str:
    """Return the text of a value; `handle` returns the JSON of what is neither copied nor named."""

    def other(part: object) -> object:
        copied = _COPIED.get(type(part))
        if copied is not None:
            return {"k": [type(part).__name__, to_plain(copied[0](part), other)]}
        numeric = numpy_to_plain(part, other)
        if numeric is not None:
            return numeric
        name = public_name(part) if _is_named(part) else None
        return {"q": name} if name else handle(part)

    return encode(value, other)


def read(text: bytes, handles: Mapping[str, Callable[[Any], object]]) -> Any:
    """Return the value that `write` wrote; `handles` are the tags that its `handle` wrote.

    Raises:
        ValueError: the text is not what `write` writes.
    """
    try:
        return decode(text, {"k": _copy, "q": _look_up_named, **handles})
    except (AttributeError, decimal.DecimalException) as error:
        raise ValueError(f"not a value: {error}") from None


def public_name(value: object) -> list[str] | None:
    """Return the module and the name of a module, a class or a function of the library."""
    if isinstance(value, types.ModuleType):
        return [value.__name__, ""] if _root(value.__name__) in _NAMED_PACKAGES else None
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or _root(module) not in _NAMED_PACKAGES:
        return None
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = None if part.startswith("_") else getattr(found, part, None)
    return [module, name] if found is value else None


def look_up(content: Any) -> object:
    """Return what `public_name` gave a name to.

    Raises:
        ValueError: it gave no such name.
    """
    module, name = content
    if _root(module) not in _NAMED_PACKAGES:
        raise ValueError(f"not a module of the library: {module!r}")
    found: object = importlib.import_module(module)
    for part in name.split(".") if name else ():
        if part.startswith("_"):
            raise ValueError(f"not a public name: {name!r}")
        found = getattr(found, part)
    return found


def _look_up_named(content: Any) -> object:
    found = look_up(content)
    if not _is_named(found):
        raise ValueError(f"not to be named: {content!r}")
    return found


def _is_named(value: object) -> bool:
    """Tell whether a thing of the library is what either side may name; who only reads a name need not trust it."""
    if not isinstance(value, type):
        return isinstance(value, types.ModuleType)
    if issubclass(value, BaseException) or value.__module__ in _DATA_MODULES:
        return True
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(value, numpy.generic | numpy.ndarray)


def _root(module: str) -> str:
    return module.partition(".")[0]


def _copy(content: Any) -> object:
    name, arguments = content
    return _BY_NAME[name](*arguments)

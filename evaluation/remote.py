"""What the tests hold in place of the things of a program, which stay in a process of their own.

Enters: what a program hands out. Leaves: objects that behave like it when called, read, indexed, gone through. Each
use is a question to the program's process.

What decides a test is done here, by this process's own operators, wherever a program's object meets plain data: the
object is taken by the content of its plain base type, and one that has none is equal to nothing, is in no order with
anything and cannot be calculated with. Otherwise a program could return an object that is equal to everything, or be
told by ``result - 3`` what is expected. Only where a task asks for a class (its reference defines it, and the tests use
it by name) its instances' own operators are asked.

Not guaranteed: what a program says of its own objects, such as their length, their text and their truth value.
"""

import builtins
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

from evaluation.link import Link

_NO_CONTENT = object()
_BASES: dict[str, type] = {
    kind.__name__: kind for kind in (int, str, float, list, tuple, dict, set, frozenset, bytes, bytearray, complex)
}
_ASKED = (
    *("len", "bool", "str", "repr", "int", "float", "index", "complex", "hash", "next", "reversed", "bytes"),
    *("abs", "neg", "pos", "invert", "round", "trunc", "floor", "ceil", "format", "dir"),
    *("call", "getitem", "setitem", "delitem", "enter", "exit"),
)
"""Special methods that are asked of the program, whatever the arguments."""
_OPERATORS = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"),
    "divmod",
)
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_OWN = frozenset(("__reduce_ex__", "__reduce__", "__copy__", "__deepcopy__", "__mro_entries__"))


class Place(NamedTuple):
    """Where a thing is."""

    link: Link
    number: int
    """Its handle."""
    kind: str
    """`class`, `exception` (a class of them) or `object`."""
    base: str | None
    """Name of its plain base type, if it has one."""
    known: bool
    """Its own operators may decide: it is of a class that the task asks for."""


class Remote:
    """One thing of a program."""

    __slots__ = ("_place",)
    _place: Place

    def __init__(self, place: Place) -> None:
        """Stand for what is there."""
        object.__setattr__(self, "_place", place)

    def __getattribute__(self, name: str) -> Any:
        """Ask for an attribute; the class is that of the content, for `isinstance`."""
        if name == "__class__":
            base = place_of(self).base
            return _BASES[base] if base in _BASES else Remote
        if name in _OWN:
            return object.__getattribute__(self, name)
        return ask("getattr", self, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute there."""
        ask("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        """Remove an attribute there."""
        ask("delattr", self, name)

    def __instancecheck__(self, instance: object) -> bool:
        """Tell whether a thing of the program is an instance of this class of its own."""
        return type(instance) is Remote and bool(ask("isinstance", instance, self))

    def __subclasscheck__(self, subclass: object) -> bool:
        """Tell whether a class of the program is derived from this one."""
        return type(subclass) is Remote and bool(ask("issubclass", subclass, self))

    def __iter__(self) -> Any:
        """Go through the thing; through a plain container as it is now."""
        content = _content(self)
        return ask("iter", self) if content is _NO_CONTENT else iter(content)

    def __contains__(self, item: object) -> bool:
        """Tell whether the thing holds an item; where that is plain data, by going through the thing here."""
        if type(item) is Remote or place_of(self).known:
            return bool(ask("contains", self, item))
        content = _content(self)
        if content is not _NO_CONTENT:
            return item in content
        return any(each is item or each == item for each in self)

    def __copy__(self) -> Any:
        """Return a copy that the program's process makes."""
        return ask("copy", self)

    def __deepcopy__(self, memo: object) -> Any:
        """Return a deep copy that the program's process makes."""
        return ask("deepcopy", self)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> Any:
        """Pickle the thing where it is."""
        link = place_of(self).link
        _unpickle.link = link
        return _unpickle, (ask("pickle", self),)

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Refuse to be derived from: what the tests define lives in another process."""
        raise TypeError("a class of the tests cannot be derived from one of the program")


class _Unpickle:
    """Has a pickle of the program's process loaded there."""

    link: Link

    def __call__(self, content: bytes) -> Any:
        return self.link.ask("unpickle", content)

    def __reduce__(self) -> str:
        return "_unpickle"


_unpickle = _Unpickle()


def place_of(remote: Remote) -> Place:
    """Return where a thing is."""
    return object.__getattribute__(remote, "_place")  # type: ignore[no-any-return]


def ask(operation: str, remote: Remote, *arguments: Any, **named: Any) -> Any:
    """Ask the process of a thing for an operation on it; what comes of a known thing is known."""
    place = place_of(remote)
    return place.link.ask(operation, remote, *arguments, known=place.known, **named)


def _content(remote: Remote) -> Any:
    """Return what a thing is as a value of its plain base type."""
    return _NO_CONTENT if place_of(remote).base is None else ask("content", remote)


def _asked(operation: str) -> Callable[..., Any]:
    return lambda self, *arguments, **named: ask(operation, self, *arguments, **named)


def _decided(operation: str, plain: Callable[[Any, Any], Any], reflected: bool = False) -> Callable[..., Any]:
    """Return an operator that is the program's between things of its own, and this process's with plain data."""

    def decide(self: Remote, other: object) -> Any:
        first, second = (other, self) if reflected else (self, other)
        if type(other) is Remote or place_of(self).known:
            place = place_of(self)
            return place.link.ask(operation, first, second, known=place.known)
        content = _content(self)
        if content is _NO_CONTENT:
            return NotImplemented
        return plain(other, content) if reflected else plain(content, other)

    return decide


for _name in _ASKED:
    setattr(Remote, f"__{_name}__", _asked(_name))
for _name in _OPERATORS:
    _plain = divmod if _name == "divmod" else getattr(operator, f"__{_name}__")
    setattr(Remote, f"__{_name}__", _decided(_name, _plain))
    setattr(Remote, f"__r{_name}__", _decided(_name, _plain, reflected=True))
for _name in _COMPARISONS:
    setattr(Remote, f"__{_name}__", _decided(_name, getattr(operator, f"__{_name}__")))


def mirror(place: Place, name: str, base: type[BaseException]) -> type[BaseException]:
    """Return a class that stands for an exception class of the program's own."""
    members = {"__module__": "candidate", "__getattr__": _remote_attribute, "__str__": _remote_text, "place": place}
    return types.new_class(name, (base,), {}, lambda space: space.update(members))


def exception(kind: type[BaseException], arguments: Sequence[Any], text: str, remote: Remote) -> BaseException:
    """Return an exception of a class that stands for one of the program, `remote`."""
    try:
        error = kind(*arguments)
    except Exception:
        error = kind.__new__(kind)
        error.args = (text,)
    vars(error).update(remote=remote, text=text)
    return error


def _remote_attribute(error: BaseException, name: str) -> Any:
    if name.startswith("__") or "remote" not in vars(error):
        raise AttributeError(name)
    return getattr(vars(error)["remote"], name)


def _remote_text(error: BaseException) -> str:
    return str(vars(error).get("text", error.args))


def builtin_exception(name: str) -> type[BaseException]:
    """Return the built-in exception class of a name, `Exception` where there is none."""
    found = vars(builtins).get(name)
    return found if isinstance(found, type) and issubclass(found, BaseException) else Exception

"""What the fork does that holds a program whose tests run elsewhere: run it, then do what the tests ask for.

Enters: the program's source, questions over a link. Leaves: answers. The tests and what they expect never enter.
Not guaranteed: that answers are true, since the program shares the process; `sandbox_tests` takes them as data.
"""

import copy
import operator
import pickle
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.link import Link, Pipes
from evaluation.sandbox_candidate import CannotLoad, classify, compile_source, new_module
from evaluation.wire import look_up

_LARGEST_QUESTION_BYTES = 1 << 30


def _special(name: str) -> Callable[..., Any]:
    return lambda thing, *arguments: getattr(type(thing), f"__{name}__")(thing, *arguments)


def _gone_through(kind: type) -> Callable[[Any], Any]:
    return lambda thing: kind(kind.__iter__(thing))  # type: ignore[attr-defined]


_CONTENTS: dict[type, Callable[[Any], Any]] = {
    int: int.__index__,
    str: str.__str__,
    float: float.__float__,
    complex: complex.__complex__,
    bytes: lambda thing: bytes(memoryview(thing)),
    bytearray: lambda thing: bytearray(memoryview(thing)),
    dict: lambda thing: dict(dict.items(thing)),
    **{kind: _gone_through(kind) for kind in (list, tuple, set, frozenset)},
}
"""Plain base types, each with what takes a thing by its content."""

_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(getattr, setattr, delattr, isinstance, issubclass, len, bool, str, repr, int, float, complex, hash, iter, next),
    *(reversed, bytes, abs, round, format, dir, divmod, copy.copy, copy.deepcopy),
)
_OPERATORS = (
    *("index", "neg", "pos", "invert", "getitem", "setitem", "delitem", "contains", "add", "sub", "mul", "truediv"),
    *("floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift", "eq", "ne", "lt", "le", "gt", "ge"),
)
_OPERATIONS: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in _FUNCTIONS},
    **{name: getattr(operator, f"__{name}__") for name in _OPERATORS},
    **{name: _special(name) for name in ("trunc", "floor", "ceil", "enter", "exit")},
    "call": lambda function, /, *arguments, **named: function(*arguments, **named),
    "content": lambda thing: next(take(thing) for kind, take in _CONTENTS.items() if isinstance(thing, kind)),
    "pickle": pickle.dumps,
    "unpickle": pickle.loads,
}
"""What the tests may ask for: what their own operators and functions do with a thing of the program."""


def serve_program(request: Mapping[str, Any], link: Pipes) -> None:
    """Wait to be told to load the program, then answer until the tests are over."""
    program = _Program(request["code"])
    program.link = Link(link, program, _LARGEST_QUESTION_BYTES)
    program.link.serve()


class _Program:
    """The program's side of the link."""

    link: Link

    def __init__(self, code: str) -> None:
        self._code = code
        self._names: dict[str, Any] = {}
        self._things: list[object] = []
        self._numbers: dict[int, int] = {}
        self._thread = threading.get_ident()

    def serve(self, operation: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> object:
        if operation == "load":
            return self._load()
        if operation == "has":
            return arguments[0] in self._names
        if operation == "name":
            return _itself(self._names[arguments[0]])
        value = _OPERATIONS[operation](*arguments, **named)
        return _itself(value) if operation == "getattr" else value

    def _load(self) -> list[str] | None:
        """Run the program's top level; return the reason and the detail where it cannot be compiled."""
        try:
            code = compile_source(self._code)
        except CannotLoad as error:
            return list(error.args)
        self._names = new_module().__dict__
        exec(code, self._names)  # runs generated code, in a confined process
        return None

    def number(self, value: object) -> int | None:
        return None

    def thing(self, number: int) -> object:
        return self._things[number]

    def handle(self, value: object) -> object:
        if isinstance(value, _Theirs):
            return {"l": value.number}
        value = value.value if isinstance(value, _Itself) else value
        if isinstance(value, types.CodeType):
            flags, counts = value.co_flags, (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
            return {"x": [value.co_name, flags, list(counts), list(value.co_varnames)]}
        number = self._numbers.setdefault(id(value), len(self._things))
        if number == len(self._things):
            self._things.append(value)  # kept, so that its id stays its own
        return {"h": [number, *_description(value)]}

    def handles(self, known: bool) -> Mapping[str, Callable[[Any], object]]:
        return {
            "l": self.thing,
            "h": self._theirs,
            "m": look_up,
            "z": lambda content: pickle.loads(bytes.fromhex(content)),
        }

    def _theirs(self, content: Any) -> object:
        number, name, kind = content
        return _KINDS[kind](self, number, name)

    def ask(self, operation: str, thing: "_Theirs", *arguments: Any, **named: Any) -> Any:
        """Ask the tests to do something with what they handed out."""
        if threading.get_ident() != self._thread:
            raise RuntimeError("what the tests hand out can be used by the main thread only")
        return self.link.ask(operation, thing, *arguments, **named)

    def describe(self, error: BaseException) -> object:
        arguments = [argument if _is_plain(argument) else str(argument) for argument in error.args]
        return [type(error), arguments, classify(error)[1].partition(": ")[2], error]

    def exception(self, operation: str, description: Any) -> BaseException:
        kind, arguments = description
        return kind(*arguments) if isinstance(kind, type) else RuntimeError(*arguments)


class _Itself:
    """Marks a container that is handed out itself: the tests may change what a name or an attribute holds."""

    def __init__(self, value: object) -> None:
        self.value = value


def _itself(value: object) -> object:
    return _Itself(value) if type(value) in (list, dict, set, bytearray) else value


class _Theirs:
    """A thing of the tests."""

    def __init__(self, program: _Program, number: int, name: str) -> None:
        self.number = number
        self._ask = program.ask
        self.__name__ = self.__qualname__ = name


class _Function(_Theirs):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._ask("call", self, *arguments, **named)


class _Iterator(_Theirs):
    def __iter__(self) -> "_Iterator":
        return self

    def __next__(self) -> Any:
        return self._ask("next", self)


class _Instance(_Theirs):
    """An instance of a class that the tests define."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._ask("getattr", self, name)


_KINDS: dict[str, type[_Theirs]] = {"function": _Function, "iterator": _Iterator, "instance": _Instance}


def _description(value: object) -> tuple[str, str, str | None]:
    """Return the name, the kind and the plain base type of a thing."""
    if isinstance(value, type):
        if issubclass(value, BaseException):
            base = next(each for each in value.__mro__ if each.__module__ == "builtins")
            return value.__name__, "exception", base.__name__
        return value.__name__, "class", None
    base_name = next((kind.__name__ for kind in _CONTENTS if isinstance(value, kind)), None)
    return type(value).__name__, "object", base_name


def _is_plain(value: object) -> bool:
    return isinstance(value, int | str | float | bytes | list | tuple | dict | None)

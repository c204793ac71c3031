"""What the fork does that runs the tests of a program, which is in another process: see `sandbox_program`.

Enters: the tests' source, imports that the reference makes, the names that the reference gives to classes and to what
shadows built-in names; a link to the program. Leaves: a token announced before the tests, once more after their last
statement if no exception came; else ``E`` with a reason and a detail, or ``D`` where the program's process is gone.

The tests have names, builtins and modules of their own. A name that they do not define, and that is not built in, is
the program's: plain data is a copy of it, other things are `Remote`.

Not guaranteed: anything for a script without a program, whose tests run what they judge themselves, in this process.
"""

import builtins
import os
import pickle
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evaluation.framing import pack_message, write_message
from evaluation.link import Link, LinkBroken, Pipes
from evaluation.remote import Place, Remote, builtin_exception, exception, mirror, place_of
from evaluation.sandbox_candidate import CannotLoad, classify, compile_source, failure, new_module
from evaluation.wire import public_name

TOKEN_MARK, GONE_MARK = b"T", b"D"
"""First bytes of the messages that announce a token, and that say that the program's process is gone."""
_TOKEN_BYTES = 32
_REFUSED_EVENTS = frozenset(
    ("sys.settrace", "sys.setprofile", "sys.monitoring.register_callback", "gc.get_objects", "gc.get_referrers")
)


def run_tests(request: Mapping[str, Any], pipe: int, link: Pipes | None, program_id: int | None) -> None:
    """Run the tests; write what came of them to `pipe`."""
    try:
        tests = compile_source(request["tests"])
        names: dict[str, Any] = new_module().__dict__
        conversation: Link | None = None
        if link is not None and program_id is not None:
            party = _Tests(frozenset(request["classes"]))
            conversation = party.link = Link(link, party, request["output_bytes"], program_id)
            names = _Names(party, frozenset(request["shadowing"]), patched="builtins" in request["tests"])
            time.process_time = party.link.seconds  # some tests time a program
            _import(request["imports"], names)
            cannot_load = party.link.ask("load")
            if cannot_load is not None:
                raise CannotLoad(*map(str, cannot_load))
        sys.addaudithook(_forbid_tracing())
        # One expression, so that the token lies on the interpreter's stack alone: where there is no program apart,
        # nothing that the tests run should find it under a name, in a frame or in an object.
        os.write(pipe, (_announce_token(pipe), _execute(tests, names, conversation))[0])  # type: ignore[func-returns-value]
    except LinkBroken as error:
        write_message(pipe, GONE_MARK + failure(*map(str, error.args))[1:])
    except CannotLoad as error:
        write_message(pipe, failure(*error.args))
    except AssertionError as error:
        write_message(pipe, failure("assertion", classify(error)[1]))
    except BaseException as error:
        write_message(pipe, failure(*classify(error)))


def _execute(tests: types.CodeType, names: dict[str, Any], link: Link | None) -> None:
    """Run the tests to their end; a program that left them on the way has failed, whatever they caught."""
    exec(tests, names)
    if link is not None and link.broken is not None:
        raise link.broken


def _announce_token(pipe: int) -> bytes:
    """Tell this process's parent the token; return the whole message, to be written again."""
    message = pack_message(TOKEN_MARK + os.urandom(_TOKEN_BYTES))
    os.write(pipe, message)
    return message


def _forbid_tracing() -> Callable[[str, tuple[object, ...]], None]:
    """Return an audit hook against jumping over a failing test, and against listing what the interpreter holds."""
    refused, frame = _REFUSED_EVENTS, types.FrameType

    def forbid(event: str, arguments: tuple[Any, ...]) -> None:
        # what a frame holds is not for scripts; what other objects hold is asked for by pandas, for one
        if event in refused or (event == "gc.get_referents" and any(type(each) is frame for each in arguments[0])):
            raise PermissionError(f"a script may not use {event}")

    return forbid


def _import(statements: Sequence[str], names: dict[str, Any]) -> None:
    """Import for the tests what the reference imports, as far as it is there."""
    for statement in statements:
        try:
            exec(compile_source(statement), names)
        except ImportError:
            continue


class _Names(dict[str, Any]):
    """The global names of the tests; what they lack is looked for among the program's.

    They hold the built-in ones, too, unless tests may have `patched` those: to miss each of them first makes a function
    of the tests up to five times as slow as the same one of a program, which some tests compare. Now it is up to twice.
    """

    def __init__(self, party: "_Tests", shadowing: frozenset[str], *, patched: bool) -> None:
        own = {name for name in vars(builtins) if not name.startswith("_")} - shadowing
        super().__init__({} if patched else {name: getattr(builtins, name) for name in own})
        self.update(__name__="tests", __builtins__=builtins)
        self._party = party
        self._shadowing = shadowing

    def __missing__(self, name: str) -> Any:
        if self._is_built_in(name):
            raise KeyError(name)
        return self._party.name(name)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        return isinstance(name, str) and not self._is_built_in(name) and bool(self._party.link.ask("has", name))

    def _is_built_in(self, name: str) -> bool:
        return hasattr(builtins, name) and name not in self._shadowing


class _Tests:
    """The tests' side of the link."""

    link: Link

    def __init__(self, classes: frozenset[str]) -> None:
        self._classes = classes
        self._things: list[object] = []
        self._numbers: dict[int, int] = {}
        self._mirrors: dict[int, type[BaseException]] = {}

    def name(self, name: str) -> Any:
        """Return what the program calls so."""
        return self.link.ask("name", name, known=name in self._classes)

    def serve(self, operation: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> object:
        """Do the few things that a program may do with what it was handed."""
        thing, *rest = arguments
        if id(thing) not in self._numbers:
            raise TypeError("not something that the tests handed out")
        if operation == "call" and callable(thing):
            return thing(*rest, **named)
        if operation == "next" and isinstance(thing, Iterator):
            return next(thing)
        if operation == "getattr" and _is_of_tests(type(thing)) and not str(rest[0]).startswith("_"):
            return getattr(thing, rest[0])
        raise TypeError(f"a program may not do {operation!r} with this")

    def handle(self, value: object) -> object:
        place = _place(value)
        if place is not None:
            return {"l": place.number}
        name = public_name(value) if isinstance(value, types.FunctionType | types.BuiltinFunctionType) else None
        if name is not None:
            return {"m": name}
        kind = _kind(value)
        if kind is None:
            return {"z": pickle.dumps(value).hex()}
        number = self._numbers.setdefault(id(value), len(self._things))
        if number == len(self._things):
            self._things.append(value)
        return {"h": [number, getattr(value, "__name__", type(value).__name__), kind]}

    def handles(self, known: bool) -> Mapping[str, Callable[[Any], object]]:
        return {
            "l": self.thing,
            "h": lambda content: self._thing(known, *content),
            "x": lambda content: _stand_in_for_code(*content),
        }

    def _thing(self, known: bool, number: int, name: str, kind: str, base: str | None) -> object:
        place = Place(self.link, number, kind, base, known)
        if kind != "exception":
            return Remote(place)
        if number not in self._mirrors:
            self._mirrors[number] = mirror(place, name, builtin_exception(base or ""))
        return self._mirrors[number]

    def number(self, value: object) -> int | None:
        """Return the handle of a thing of the program."""
        return place_of(value).number if type(value) is Remote else None

    def thing(self, number: int) -> object:
        """Return what was handed out."""
        return self._things[number]

    def describe(self, error: BaseException) -> object:
        kind = type(error) if type(error).__module__ == "builtins" else RuntimeError
        return [kind, [str(error)]]

    def exception(self, operation: str, description: Any) -> BaseException:
        """Return what to raise.

        What would end a loop of the tests without a word, and comes from anything but an iterator's next step, is
        turned into an error of the same name.
        """
        kind, arguments, text, remote = description
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            kind = RuntimeError
        if issubclass(kind, StopIteration | StopAsyncIteration | GeneratorExit) and operation != "next":
            kind = types.new_class(kind.__name__, (RuntimeError,))
        return exception(kind, arguments, str(text), remote)


def _place(value: object) -> Place | None:
    """Return where a thing of the program is, None for anything else."""
    if type(value) is Remote:
        return place_of(value)
    if isinstance(value, type) and issubclass(value, BaseException):
        return vars(value).get("place")
    if isinstance(value, BaseException) and type(vars(value).get("remote")) is Remote:
        return place_of(vars(value)["remote"])
    return None


def _kind(value: object) -> str | None:
    """Return how a program may use a thing of the tests; None: it gets a copy."""
    if isinstance(value, Iterator):
        return "iterator"
    if isinstance(value, types.FunctionType | types.MethodType) or (isinstance(value, type) and _is_of_tests(value)):
        return "function"
    return "instance" if _is_of_tests(type(value)) else None


def _is_of_tests(kind: type) -> bool:
    return kind.__module__ == "tests"


def _stand_in_for_code(name: str, flags: int, counts: Sequence[int], variables: Sequence[str]) -> types.CodeType:
    """Return a code object for `inspect` to look at; it is never run."""
    arguments, positional, keywords = counts
    return (lambda: None).__code__.replace(
        co_name=name,
        co_flags=flags,
        co_argcount=arguments,
        co_posonlyargcount=positional,
        co_kwonlyargcount=keywords,
        co_varnames=tuple(variables),
        co_nlocals=len(variables),
    )

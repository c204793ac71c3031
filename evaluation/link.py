"""A conversation between two processes that call each other and share nothing.

Enters and leaves: questions (an operation with its arguments), answers, exceptions, over two pipes. While a question
is out, the other side may ask back, to any depth. What an operation did to lists and the like that it was given is
carried back to the caller's own.

One side is believed, that of the tests: its plain data travels as Python's own marshalled objects, which are fast. The
other, that of the program, is not: whatever it sends is read as text, within bounds, and ends the conversation where it
is none. The program's side also says how long its own part of the conversation took, and is believed up to a few times
the part of this side.

Not guaranteed: that the program's side is honest.
"""

import contextlib
import fcntl
import marshal
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from evaluation import wire
from evaluation.clock import cpu_seconds
from evaluation.framing import pack_message, write_all

GONE = "the other side is gone"
_QUESTION, _PLAIN_QUESTION, _ANSWER, _EXCEPTION = b"?", b"p", b"=", b"!"
_LENGTH_BYTES = 4
_CHUNK_BYTES = 1 << 20
_MARSHAL_VERSION = 2
"""The last without references, so that equal values have equal bytes."""
_MUTABLE = (list, dict, set, bytearray, tuple)
"""Types of arguments that may be changed, or hold what may be."""
_SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))
_CONTAINERS = frozenset((list, tuple, dict, set, frozenset))
_SHARE_BELIEVED, _SECONDS_BELIEVED = 4.0, 0.001
"""How much longer the other side may say that it took for a question's conversation."""
Pipes = tuple[int, int]
"""The descriptor that is read from, and the one that is written to."""

_process_seconds, _thread_seconds = time.process_time, time.thread_time
"""The first lags behind by some milliseconds: where CPU time is limited, Linux brings it up to date now and then."""


class LinkBroken(BaseException):
    """The other side is gone, or does not keep to the protocol: holds the reason and the detail.

    No `Exception`, so that tests which expect one are not content with this.
    """


class Party(Protocol):
    """One side: what it hands out, and what it does when asked."""

    def handle(self, value: object) -> object:
        """Return the JSON that stands for a value that is neither copied nor named."""

    def handles(self, known: bool) -> Mapping[str, Callable[[Any], object]]:
        """Return what makes a value of each tag; `known` is the link's word for where it comes from."""

    def number(self, value: object) -> int | None:
        """Return the number by which the other side knows a value of its own, None for any other value."""

    def thing(self, number: int) -> object:
        """Return what was handed out under a number."""

    def serve(self, operation: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> object:
        """Do what the other side asks for."""

    def describe(self, error: BaseException) -> object:
        """Return what the other side needs to raise the like of `error`."""

    def exception(self, operation: str, description: Any) -> BaseException:
        """Return what to raise for what the other side described."""


def open_pipes() -> tuple[Pipes, Pipes]:
    """Return the pipes of the one side and of the other, as long as they can be."""
    (one_reads, other_writes), (other_reads, one_writes) = os.pipe(), os.pipe()
    for pipe in (other_writes, one_writes):
        with contextlib.suppress(OSError):  # a shorter one will do
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
    return (one_reads, one_writes), (other_reads, other_writes)


@dataclass(slots=True)
class _Talk:
    """The time of one question."""

    started: float
    serving: float = 0.0
    """Spent on what the other side asked back."""
    busy_there: float = 0.0
    """Spent on the question itself, as the other side says."""


class Link:
    """This process's end of the conversation."""

    def __init__(self, pipes: Pipes, party: Party, largest_bytes: int, other: int | None = None) -> None:
        """Talk over `pipes`; a message of more than `largest_bytes` breaks the link.

        `other` is the process of the other side where this side is the one that is believed.
        """
        self._reading, self._writing = pipes
        self._party = party
        self._largest_bytes = largest_bytes
        self._other = other
        self._lock = threading.RLock()
        self._received = bytearray()
        self._depth = 0
        self._talking = self._busy_there = self._believed = 0.0
        self.broken: LinkBroken | None = None
        """Why nothing more can be asked, once that is so."""

    def ask(self, operation: str, *arguments: Any, known: bool = False, **named: Any) -> Any:
        """Return the other side's answer, or raise what it raised; `known` goes to `Party.handles`.

        Raises:
            LinkBroken: there is no other side any more.
        """
        with self._lock:
            talk = _Talk(_thread_seconds())
            self._depth += 1
            try:
                self._send_question(operation, arguments, named)
                kind, content = self._await_answer(talk, known)
                if kind == _EXCEPTION:
                    raise self._party.exception(operation, content)
                return self._answer(content, arguments, named)
            except LinkBroken as error:
                self.broken = error
                raise
            finally:
                here = _thread_seconds() - talk.started - talk.serving
                self._talking += here
                self._believed += _SHARE_BELIEVED * here + _SECONDS_BELIEVED
                self._depth -= 1
                if not self._depth:
                    self._busy_there += max(0.0, talk.busy_there)  # nothing where it says a NaN

    def serve(self) -> None:
        """Answer questions until the other side is gone."""
        with contextlib.suppress(LinkBroken):
            while True:
                kind, text = self._receive()
                if kind == _PLAIN_QUESTION:
                    operation, number, rest, named = marshal.loads(text)
                    again = partial(_marshal, operation, number, rest, named)
                    self._serve(operation, [self._party.thing(number), *rest], named, text, again)
                elif kind == _QUESTION:
                    self._serve(*self._question(text))

    def seconds(self) -> float:
        """Return the CPU time of both sides, but for the conversation itself.

        The other side's is what it says of its answers, and at least all that it took but for what is believed.
        """
        there = self._other_seconds()
        there = max(min(self._busy_there, there), there - self._believed)
        return max(_process_seconds(), _thread_seconds()) - self._talking + there

    def _other_seconds(self) -> float:
        return 0.0 if self._other is None else cpu_seconds(self._other)

    def _await_answer(self, talk: "_Talk", known: bool) -> tuple[bytes, Any]:
        """Return the kind and the content of the answer; until it comes, answer what the other side asks back."""
        while True:
            kind, text = self._receive()
            if kind == _QUESTION:
                started = _thread_seconds()
                self._serve(*self._question(text))
                talk.serving += _thread_seconds() - started
                continue
            try:
                talk.busy_there, content = self._read(text, known)
                talk.busy_there += 0.0
            except (ValueError, TypeError):
                raise LinkBroken("exited", "an answer that is none") from None
            return kind, content

    def _question(self, text: bytes) -> tuple[str, list[Any], dict[str, Any]]:
        content = self._read(text, False)
        match content:
            case [str() as operation, list() as arguments, dict() as named]:
                return operation, arguments, named
        raise LinkBroken("exited", "a question that is none")

    def _serve(
        self,
        operation: str,
        arguments: list[Any],
        named: dict[str, Any],
        text: bytes = b"",
        again: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        """Do what was asked for and tell what came of it, and of arguments that can be changed.

        What is unchanged is not told where `again` gives the text of the question once more.
        """
        started = _thread_seconds()
        try:
            value = self._party.serve(operation, arguments, named)
            busy = _thread_seconds() - started
            given = [[key, item] for key, item in (*enumerate(arguments), *named.items()) if _is_mutable(item)]
            reply = _ANSWER, [busy, [value, [] if not given or again() == text else given]]
        except LinkBroken:
            raise
        except BaseException as error:  # whatever it is, it is for the side that asked
            reply = _EXCEPTION, [_thread_seconds() - started, self._party.describe(error)]
        self._send(reply[0], wire.write(reply[1], self._party.handle).encode("ascii"))

    def _answer(self, content: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        try:
            value, changes = content
            for key, new in changes:
                _change(arguments[key] if isinstance(key, int) else named[key], new)
        except (ValueError, TypeError, LookupError):
            raise LinkBroken("exited", "an answer that is none") from None
        return value

    def _send_question(self, operation: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
        number = self._party.number(arguments[0]) if arguments and self._other is not None else None
        plain = None if number is None else _marshal(operation, number, arguments[1:], named)
        if plain is not None:
            self._send(_PLAIN_QUESTION, plain)
        else:
            text = wire.write([operation, list(arguments), dict(named)], self._party.handle)
            self._send(_QUESTION, text.encode("ascii"))

    def _send(self, kind: bytes, content: bytes) -> None:
        try:
            write_all(self._writing, pack_message(kind + content))
        except OSError:
            raise LinkBroken("exited", GONE) from None

    def _read(self, text: bytes, known: bool) -> Any:
        try:
            return wire.read(text, self._party.handles(known))
        except ValueError as error:
            raise LinkBroken("exited", f"what was sent is no value: {error}") from None

    def _receive(self) -> tuple[bytes, bytes]:
        self._fill(_LENGTH_BYTES)
        length = int.from_bytes(self._received[:_LENGTH_BYTES], "big")
        if length > self._largest_bytes:
            raise LinkBroken("memory", f"an output of {length} bytes is over the limit")
        end = _LENGTH_BYTES + length
        self._fill(end)
        payload = bytes(self._received[_LENGTH_BYTES:end])
        del self._received[:end]
        return payload[:1], payload[1:]

    def _fill(self, wanted_bytes: int) -> None:
        while len(self._received) < wanted_bytes:
            try:
                chunk = os.read(self._reading, _CHUNK_BYTES)
            except OSError:
                chunk = b""
            if not chunk:
                raise LinkBroken("exited", GONE)
            self._received += chunk


def _is_plain(value: Any) -> bool:
    """Tell whether a value comes back from marshal as it is; an array, for one, would become bytes."""
    kind = type(value)
    if kind not in _CONTAINERS:
        return kind in _SCALARS
    if kind is dict:
        return _is_plain(tuple(value)) and _is_plain(tuple(value.values()))
    containers = set(map(type, value)) - _SCALARS
    if not containers:
        return True
    return containers <= _CONTAINERS and all(map(_is_plain, value))


def _marshal(operation: str, number: int, arguments: Sequence[Any], named: Mapping[str, Any]) -> bytes | None:
    """Return a question about a thing of the other side whose arguments are plain data; None where they are not."""
    if not _is_plain(arguments) or not _is_plain(named):
        return None
    try:
        return marshal.dumps((operation, number, list(arguments), dict(named)), _MARSHAL_VERSION)
    except ValueError:  # nested too deeply
        return None


def _is_mutable(value: Any) -> bool:
    return type(value) in _MUTABLE or type(value).__module__ == "numpy"


def _change(old: Any, new: Any) -> None:
    """Make `old` what `new` is, in place as far as there are places."""
    kind = type(old)
    if kind is not type(new) or not _is_mutable(old):
        return
    if kind in (list, tuple) and len(old) == len(new):
        for number, (item, changed) in enumerate(zip(old, new, strict=True)):
            if type(item) is type(changed) and _is_mutable(item):
                _change(item, changed)
            elif kind is list:
                old[number] = changed
    elif kind in (list, bytearray):
        old[:] = new
    elif kind in (dict, set):
        old.clear()
        old.update(new)
    elif kind.__name__ == "ndarray":
        old[...] = new

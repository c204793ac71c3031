"""Keeps what is costly to make and used again: the compiled tests of the tasks that were judged last.

Enters: a key and a way to make its thing. Leaves: the thing, made once, while it is used and for some time after.
Not guaranteed: that a key that is rarely used is not made twice.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


class LeaseCache(Generic[Key, Thing]):
    """Things by key, of which those used last are kept; for several threads."""

    def __init__(self, make: Callable[[Key], Thing], discard: Callable[[Thing], None], room: int) -> None:
        """Keep `room` things that nobody uses; `discard` is called with what has to go."""
        self._make = make
        self._discard = discard
        self._room = room
        self._lock = threading.Lock()
        self._things: OrderedDict[Key, Future[Thing]] = OrderedDict()
        self._users: Counter[Key] = Counter()

    @contextmanager
    def use(self, key: Key) -> Iterator[Thing]:
        """Yield the thing of a key; who asks first makes it, the others wait. What making it raises, all get."""
        with self._lock:
            found = self._things.get(key)
            future = self._things.setdefault(key, Future())
            self._things.move_to_end(key)
            self._users[key] += 1
        try:
            if found is None:
                try:
                    future.set_result(self._make(key))
                except BaseException as error:
                    future.set_exception(error)
            yield future.result()
        finally:
            with self._lock:
                self._users[key] -= 1
                self._make_room()

    def _make_room(self) -> None:
        idle = [key for key in self._things if not self._users[key]]
        for key in idle[: max(0, len(idle) - self._room)]:
            future = self._things.pop(key)
            if future.exception() is None:
                self._discard(future.result())

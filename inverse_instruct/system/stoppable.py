"""Work of seconds or hours within a context, in a thread of its own, that the event loop waits for and can stop.

Enters: a context that ends what is done in it when it is left (an open sandbox, say), and the work. Leaves: what the
work leaves; its error is raised where it is waited for. Where the waiting is cancelled, as by an interrupt, the context
is left at once, from outside the thread. While it is still being entered it cannot be left: then processes that this
process has started since are ended, so that what waits for them fails. Not guaranteed: the end of entering that waits
for something else; the thread is then left behind, and ends with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, Self, TypeVar

import psutil

POLL_SECONDS = 0.1
STOP_SECONDS = 5.0

Entered = TypeVar("Entered")


class Stoppable(Generic[Entered]):
    """The work under way; use it in an `async with` statement."""

    def __init__(self, name: str, context: AbstractContextManager[Entered], work: Callable[[Entered], None]) -> None:
        """Prepare; `work` should look at `stopped` before it keeps a result."""
        self.stopped = False
        self._context = context
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._error: BaseException | None = None
        self._is_inside = False
        self._turn = threading.Lock()
        self._ready = threading.Event()
        self._children: set[psutil.Process] = set()  # those there were before

    async def __aenter__(self) -> Self:
        """Start, and wait until the context is entered.

        Raises:
            BaseException: what entering it raised.
        """
        self._children = set(psutil.Process().children())
        self._thread.start()
        try:
            while not self._ready.is_set():
                await asyncio.sleep(POLL_SECONDS)
            self.check()
        except BaseException:
            self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what is still under way."""
        self._stop()

    async def finish(self, on_wait: Callable[[], None] = lambda: None) -> None:
        """Wait for the end of the work; `on_wait` is called now and then.

        Raises:
            BaseException: what the work raised.
        """
        while self._thread.is_alive():
            await asyncio.sleep(POLL_SECONDS)
            on_wait()
        self.check()

    def check(self) -> None:
        """Raise what the work has raised so far, if anything."""
        if self._error:
            raise self._error

    def _stop(self) -> None:
        self.stopped = True
        deadline = time.monotonic() + STOP_SECONDS
        while self._thread.is_alive() and not self._ready.is_set() and time.monotonic() < deadline:
            for child in set(psutil.Process().children()) - self._children:
                _kill(child)
            self._thread.join(POLL_SECONDS)
        self._leave()
        self._thread.join(max(POLL_SECONDS, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            entered = self._context.__enter__()
            self._is_inside = True
            self._ready.set()
            if not self.stopped:
                self._work(entered)
        except BaseException as error:
            self._error = error
        finally:
            self._leave()
            self._ready.set()

    def _leave(self) -> None:
        """Leave the context, if that is not done yet; either thread may be first."""
        with self._turn:
            if self._is_inside:
                self._is_inside = False
                self._context.__exit__(None, None, None)


def _kill(process: psutil.Process) -> None:
    """End a process and all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [*process.children(recursive=True), process]:
            each.kill()

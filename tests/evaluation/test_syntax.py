"""Programs of others are parsed in several threads at once, and come out whole."""

from __future__ import annotations

import ast
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from evaluation.syntax import NO_PROGRAM, read_tree

LINES = "".join(f"    x{k} = g(a, [b for b in a if b > {k}], k={k})\n" for k in range(40))
PROGRAM = f"def f(a):\n{LINES}    return {'(' * 40}1{')' * 40}\n"


@pytest.fixture
def let_others_in() -> Iterator[None]:
    """Have other threads run in the middle of parsing, wherever memory is looked through."""

    def pause(*_: object) -> None:
        time.sleep(1e-6)

    before = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(20)
    yield
    gc.callbacks.remove(pause)
    gc.set_threshold(*before)


def parse_in_threads(parse: Callable[[str], ast.Module], count: int) -> list[BaseException]:
    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(parse, PROGRAM) for _ in range(count)]
        return [error for error in (one.exception() for one in tries) if error]


@pytest.mark.usefixtures("let_others_in")
def test_threads_do_not_disturb_each_other() -> None:
    assert parse_in_threads(read_tree, 40) == []


@pytest.mark.usefixtures("let_others_in")
def test_what_else_parses_does_not_disturb_it() -> None:
    """Python's own printing of tracebacks does, in whatever thread an error is logged."""
    done = threading.Event()

    def print_tracebacks() -> None:
        while not done.is_set():
            with suppress(SystemError):
                ast.parse("x = 1")

    with ThreadPoolExecutor(1) as printer:
        printer.submit(print_tracebacks)
        try:
            assert parse_in_threads(read_tree, 40) == []
        finally:
            done.set()


@pytest.mark.parametrize("text", ["def", "\0", "(" * 5000, "x = '\ud800'"])
def test_what_is_no_program_is_one_of_few_errors(text: str) -> None:
    with pytest.raises(NO_PROGRAM):
        read_tree(text)


def test_warnings_of_a_program_are_not_heard(recwarn: pytest.WarningsRecorder) -> None:
    read_tree("x = '\\d'\nif x is 'a': pass\n")
    assert not recwarn.list

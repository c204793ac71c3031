"""Reads what a model wrote in child processes with limits: it may keep whoever parses it busy for minutes, or crash it.

Enters: a function that parses, and text that nobody vouches for. Leaves: what the function returns; where it does not
come to an end within the limits, a reply is taken as it stands. A model that is caught in a loop writes such replies:
what a parser does with one piece, repeated, grows with the square of the length. The processes are started on first
use, stay for further calls, and are started anew after a limit was passed.
Not guaranteed: the same readings on a slower machine, for a reply that takes about as long as it may.
"""

import json
import os
import pickle
from collections.abc import Callable, Sequence
from queue import LifoQueue
from typing import TypeVar, TypeVarTuple

from evaluation.errors import BenchmarkError
from evaluation.fences import find_blocks
from evaluation.limited_process import LimitedProcess, ProcessFailed

Arguments = TypeVarTuple("Arguments")
Value = TypeVar("Value")

_CPU_SECONDS = 3.0
_MEMORY_BYTES = 2 << 30
_MOST_PROCESSES = 4
_idle: LifoQueue[LimitedProcess] = LifoQueue()  # the last in is the first out: what is started is used before others
for _ in range(min(_MOST_PROCESSES, os.cpu_count() or 1)):
    _idle.put(LimitedProcess("evaluation.reading_process", "reading it", _MEMORY_BYTES))


class AsItStands(tuple[str, ...]):
    """The one reading of a reply that cannot be read within the limits: its code blocks, or all of it."""


def read(reply: str, how: Callable[[str], Sequence[str]]) -> Sequence[str]:
    """Return `how(reply)`, which is computed in another process, or the reply `AsItStands`."""
    try:
        return within_limits(how, reply)
    except ProcessFailed:
        return AsItStands(["\n".join(block.text for block in find_blocks(reply)) or reply])


def within_limits(function: Callable[[*Arguments], Value], *arguments: *Arguments) -> Value:
    """Return `function(*arguments)`, computed in another process: both can be pickled, and the value is one of JSON.

    Raises:
        ProcessFailed: it takes too much CPU time or memory, or crashes.
        BenchmarkError: the function raises it.
    """
    process = _idle.get()
    try:
        answer = json.loads(process.ask(pickle.dumps((function, arguments)), _CPU_SECONDS))
    finally:
        _idle.put(process)
    if "error" in answer:
        raise BenchmarkError(answer["error"])
    value: Value = answer["value"]
    return value

"""Parsing of code that nobody vouches for, in a child process with a limit on its CPU time and memory.

Enters: code, and the language it is said to be in. Leaves: whether it parses, what speaks against it being in that
language, or its definitions; `ParserFailed` if the child ran into a limit, or crashed twice. tree-sitter's own timeout
is no bound: its error recovery, quadratic in the depth of the nesting, is not interrupted by it. Short code is parsed
in this process, where its length is bound enough (0.1 s for the worst we found). The limit is CPU time, so that a busy
machine does not change what is kept. Not guaranteed: the same verdict, on a slower machine, for code that takes about
that long.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inverse_instruct import languages, likeness, source_files
from inverse_instruct.source_files import Definition

CPU_SECONDS = 2.0
_MEMORY_BYTES = 2 << 30
_SHORT_CHARACTERS = 4000
_OUT_OF_MEMORY = 3  # exit code of the child


class ParserFailed(Exception):
    """The parser ran into a limit, or crashed; the message says which."""


def parses(code: str, language: str) -> bool:
    """Tell whether the code parses in the language with no erroneous and no missing node.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    if len(code) <= _SHORT_CHARACTERS:
        return languages.parses(code, language)
    return bool(_child().ask("parses", code, language))


def objection(code: str, language: str) -> str:
    """Return what speaks against code being in the language, see `likeness.py`; "" if nothing does.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    if len(code) <= _SHORT_CHARACTERS:
        return likeness.objection(code, language)
    return str(_child().ask("objection", code, language))


def definitions(code: str, language: str) -> list[Definition]:
    """Return the outermost definitions of a file, in order.

    Raises:
        ParserFailed: they cannot be told within the limits.
    """
    return [Definition(*found) for found in _child().ask("definitions", code, language)]


class _Child:
    """The process that parses; started on first use, and again after it ended. It ends when this process does."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: str, code: str, language: str) -> Any:
        request = json.dumps([question, code, language]).encode()
        for attempt in (1, 2):
            if self._process is None:
                self._start()
            try:
                self._connection.send_bytes(request)
                return json.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                code_of_exit = self._bury()
            if code_of_exit in (-signal.SIGPROF, _OUT_OF_MEMORY) or attempt == 2:  # else it may have been killed
                raise ParserFailed(f"as {language}: {_cause_of_death(code_of_exit)}")

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        root = str(Path(__file__).parent.parent)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "inverse_instruct.parser_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path})

    def _bury(self) -> int:
        assert self._process is not None
        self._connection.close()
        code, self._process = self._process.wait(), None
        return code


def _cause_of_death(code: int) -> str:
    if code == -signal.SIGPROF:
        return f"the parser took more than {CPU_SECONDS:g} s of CPU time"
    if code == _OUT_OF_MEMORY:
        return f"the parser took more than {_MEMORY_BYTES >> 30} GiB of memory"
    return f"the parser crashed twice ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


@cache
def _child() -> _Child:
    return _Child()


def main() -> None:
    """Answer questions until the other end hangs up; the kernel ends the process that takes too long for one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers: dict[str, Callable[[str, str], Any]] = {
        "parses": languages.parses, "objection": likeness.objection, "definitions": _definitions}
    connection = Connection(int(sys.argv[1]))
    while True:
        try:
            question, code, language = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            answer = json.dumps(answers[question](code, language)).encode()
        except MemoryError:
            sys.exit(_OUT_OF_MEMORY)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send_bytes(answer)


def _definitions(code: str, language: str) -> list[tuple[str, int]]:
    return [(found.code, found.line) for found in source_files.definitions(code, language)]


if __name__ == "__main__":
    main()

"""Parsing in a child: the same verdicts as here, limits that hold, and a new child after one has failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inverse_instruct.source_code import languages, parser_process, source_files
from inverse_instruct.source_code.parser_process import ParserFailed, definitions, parses
from inverse_instruct.system.root import ROOT

GOOD = "def f(x):\n    return x + 1\n\n\n" * 200
SLOW = "if(a)" * 20_000  # minutes of tree-sitter's Bash


def test_the_child_says_what_this_process_says() -> None:
    for text in (GOOD, GOOD + "(", "x = '\ud800'\n" * 500):
        assert parses(text, "python") == languages.parses(text, "python")
    assert definitions(GOOD, "python") == source_files.definitions(GOOD, "python") != []


def test_a_limit_on_cpu_time_and_a_new_child_afterwards() -> None:
    started = time.process_time()
    with pytest.raises(ParserFailed, match=r"as bash: the parser took more than 2 s of CPU time"):
        parses(SLOW, "bash")
    assert time.process_time() - started < 1, "it was not this process that worked"
    assert parses(GOOD, "python")


def test_a_limit_on_memory() -> None:
    names = ",".join(f"n{number}" for number in range(40_000))
    users = "".join(f"def f{number}():\n return n{number}\n" for number in range(20_000))
    with pytest.raises(ParserFailed, match="as python: the parser took more than"):
        definitions(f"from m import ({names})\n{users}", "python")
    assert definitions(GOOD, "python")


def test_code_on_which_the_parser_crashes() -> None:
    with pytest.raises(ParserFailed, match="as java: the parser (crashed twice .SIGSEGV|took more than)"):
        parses("a<" * 200_000, "java")
    assert parses(GOOD, "python")


def test_a_child_that_somebody_killed_costs_no_row() -> None:
    assert parses(GOOD, "python")
    process = parser_process._child()._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert parses(GOOD, "python") and definitions(GOOD, "python")


def test_the_child_ends_with_its_parent() -> None:
    script = (
        "from inverse_instruct.source_code import parser_process\n"
        "parser_process.parses('x = 1\\n' * 1000, 'python')\n"
        "import os; print(parser_process._child()._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout
    deadline = time.monotonic() + 10
    while Path(f"/proc/{int(printed)}").exists() and "zombie" not in Path(f"/proc/{int(printed)}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""What a language must offer, so that its programs can be judged by tests that run in another process.

Enters: a declaration, its tests, a solution. Leaves: for the tests and for the solution, each by itself, the files to
write, the commands to compile them and the command to run; and, from what a failed program wrote, the reason.
Not guaranteed: that a reason is the true one; a program can write what it likes. A pass never rests on it.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluation.errors import BenchmarkError
from evaluation.programs import Reason
from evaluation.toolchains import SYSTEM_PATH

HARNESSES = Path(__file__).resolve().parent / "harnesses"
CALL_FAILED, CANNOT_LOAD, WRONG_VALUE, TOO_LARGE = 96, 97, 98, 99
"""Exit statuses of the harnesses: the other process has ended; this one's code cannot be loaded; what came is no value
of the declared type; a value is larger than a message may be."""

MEBIBYTE = 1 << 20
_PREPARING_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Places:
    """Where the folders of the tests, or of a program, are seen by their commands."""

    sources: str
    build: str
    """Writable while compiling, readable while running."""
    prepared: str
    """What `Toolchain.prepare` made; the same for all."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How source text becomes a process."""

    files: dict[str, str]
    """Written into the folder of sources."""
    compiling: Sequence[Sequence[str]]
    """Commands; where there is none the run sees the sources instead of the build folder."""
    running: Sequence[str]


@dataclass(frozen=True, slots=True)
class Task:
    """A function that is declared, and what calls it. All of it is trusted."""

    head: str
    """The start of a program up to and including the opening brace of the function; what it defines before that is
    compiled with the tests as it is."""
    tests: str
    types: str = ""
    """Definitions that the declaration needs and leaves to the solution."""


class Toolchain(Protocol):
    """One language, with the choices of one suite."""

    @property
    def language(self) -> str:
        """As in `toolchains`."""

    @property
    def silent(self) -> bool:
        """Whether a program that prints anything has failed."""

    @property
    def readable(self) -> Sequence[str]:
        """Paths in /etc that its programs need; those that do not exist are passed over."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables its commands need."""

    @property
    def probe(self) -> tuple[str, Task]:
        """A solution and a task that it passes wherever the toolchain works."""

    def prepare(self, prepared: Path) -> None:
        """Build what all programs share, once, from trusted sources.

        Raises:
            BenchmarkError: the toolchain does not work.
        """

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Return how the process of the tests is made: it takes the token first and hands it back last.

        Raises:
            BenchmarkError: the task has no function or no tests that can be called.
        """

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Return how the process of a solution is made, which answers calls of what `head` declares."""

    def reason(self, output: str) -> Reason | None:
        """Return why a program failed, from what it wrote; None: no sign of a particular reason."""


def run_trusted(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command of ours outside the sandbox, where it may take its time.

    Raises:
        BenchmarkError: it fails.
    """
    variables = {"PATH": SYSTEM_PATH, "HOME": str(folder), "LANG": "C.UTF-8"} | dict(environment or {})
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=_PREPARING_SECONDS, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"{command[0]} does not work here: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def copy_harness(language: str, prepared: Path) -> None:
    """Copy a language's part of the harnesses to where the sandboxes see it."""
    shutil.copytree(HARNESSES / language, prepared, dirs_exist_ok=True)


def first_match(output: str, signs: Sequence[tuple[Reason, str]]) -> Reason | None:
    """Return the first reason whose sign is in the output."""
    return next((reason for reason, pattern in signs if re.search(pattern, output, re.MULTILINE)), None)

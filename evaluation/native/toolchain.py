"""What a language must offer to be compiled and run with the harness that shows a pass.

Enters: a solution and its tests. Leaves: the files to write, the commands to compile them, the command to run, and,
from what a failed program wrote, the reason.
Not guaranteed: that a reason is the true one; a program can write what it likes. A pass never rests on it.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluation.errors import BenchmarkError
from evaluation.programs import Reason
from evaluation.toolchains import SYSTEM_PATH

HARNESSES = Path(__file__).resolve().parent / "harnesses"
CANNOT_LOAD, ASSERTION_FAILED = 97, 98
"""Exit statuses of the harnesses."""

MEBIBYTE = 1 << 20
_PREPARING_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Places:
    """Where a program's folders are seen by its commands."""

    sources: str
    build: str
    """Writable while compiling, readable while running."""
    prepared: str
    """What `Toolchain.prepare` made."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one program becomes a run."""

    files: dict[str, str]
    """Written into the folder of sources."""
    compiling: Sequence[Sequence[str]]
    """Commands; where there is none the run sees the sources instead of the build folder."""
    running: Sequence[str]
    sent: str = ""
    """Handed to the harness after the token."""
    silent: bool = False
    """Whether any output counts as a failed assertion."""


class Toolchain(Protocol):
    """One language, with the choices of one suite."""

    @property
    def language(self) -> str:
        """As in `toolchains`."""

    @property
    def readable(self) -> Sequence[str]:
        """Paths in /etc that its programs need; those that do not exist are passed over."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables its commands need."""

    @property
    def probe(self) -> tuple[str, str]:
        """A solution and tests that pass wherever the toolchain works."""

    def prepare(self, prepared: Path) -> None:
        """Build the harness and what programs share, once, from trusted sources.

        Raises:
            BenchmarkError: the toolchain does not work.
        """

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Return how to compile and run a solution with its tests."""

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


def first_match(output: str, signs: Sequence[tuple[Reason, str]]) -> Reason | None:
    """Return the first reason whose sign is in the output."""
    return next((reason for reason, pattern in signs if re.search(pattern, output, re.MULTILINE)), None)

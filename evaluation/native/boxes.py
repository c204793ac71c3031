"""Command lines of compilers, tests and programs, each in a sandbox of its own.

Enters: a command and what it may see. Leaves: the command as it is watched (see `watching`).
What runs code, not what compiles it, is kept from starting processes, from writing anywhere and from memory that no
process is charged for.
Not guaranteed: anything of this with `unsandboxed`.
"""

import glob
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.confinement import filter_code
from evaluation.errors import SandboxUnavailable
from evaluation.isolation import isolated
from evaluation.native.toolchain import Places, Toolchain
from evaluation.native.watching import Allowance, Command
from evaluation.programs import ResourceLimits
from evaluation.suite import Execution
from evaluation.toolchains import SYSTEM_PATH

DESCRIPTOR = "HARNESS_DESCRIPTOR"
"""The variable that tells a process the number of its end of what joins it to the other."""
_INSIDE = Places("/sources", "/build", "/prepared")
_MOST_THREADS = 256
_OUTPUT_BYTES = 1 << 20
_COMPILING_SECONDS = 60.0
_COMPILING_MEMORY_BYTES = 2 << 30
_LIMITED = ("/usr/bin/prlimit", "--core=0", "--fsize=268435456")
_OPEN_FILES = 128
"""Beside what the descriptor's number asks for; pipes and sockets hold memory of the kernel."""
_ALTERNATIVES = "/etc/alternatives"
"""Links by which Debian finds many executables of /usr."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the tests of a task, or a program, lie on this machine."""

    root: Path

    @property
    def sources(self) -> Path:
        """What is compiled."""
        return self.root / "sources"

    @property
    def build(self) -> Path:
        """What compiling makes."""
        return self.root / "build"

    @property
    def scratch(self) -> Path:
        """The home of compilers that run unsandboxed."""
        return self.root / "scratch"

    def make(self) -> None:
        """Make them."""
        for folder in (self.sources, self.build, self.scratch):
            folder.mkdir(parents=True)


@dataclass(frozen=True, slots=True)
class Boxes:
    """Makes the commands of one language."""

    toolchain: Toolchain
    execution: Execution
    prepared: Path

    def places(self, folders: Folders) -> Places:
        """Return where the commands see the folders."""
        if self.execution.unsandboxed:
            return Places(str(folders.sources), str(folders.build), str(self.prepared))
        return _INSIDE

    def compiling(self, line: Sequence[str], folders: Folders) -> Command:
        """Return a command that may start processes and write into the build folder."""
        allowance = self._allowance(_COMPILING_SECONDS, _COMPILING_MEMORY_BYTES)
        if self.execution.unsandboxed:
            return self._unsandboxed([*_LIMITED, *line], folders, allowance, {})
        seen = {folders.sources: _INSIDE.sources}
        options = ["--bind", str(folders.build), _INSIDE.build]
        isolated_line = self._isolated([*_LIMITED, *line], seen, options, {}, ResourceLimits().scratch_bytes)
        return Command(isolated_line, allowance)

    def running(
        self, line: Sequence[str], folders: Folders, seconds: float, joint: int, *, compiled: bool, sent: bytes | None
    ) -> Command:
        """Return a command that runs code; `joint` is its end of what joins tests and program, closed here after."""
        allowance = self._allowance(seconds, self.execution.memory_bytes)
        limited = [*_LIMITED, f"--nofile={joint + _OPEN_FILES}", *line]
        environment = {DESCRIPTOR: str(joint)}
        if self.execution.unsandboxed:
            return self._unsandboxed(limited, folders, allowance, environment, sent, (joint,))
        seen = {folders.build: _INSIDE.build} if compiled else {folders.sources: _INSIDE.sources}
        rules = _system_call_filter()
        isolated_line = self._isolated(limited, seen, ["--seccomp", str(rules)], environment, scratch_bytes=0)
        return Command(isolated_line, allowance, sent, handed=(joint, rules))

    def _allowance(self, seconds: float, memory_bytes: int) -> Allowance:
        return Allowance(seconds, ResourceLimits().patience, memory_bytes, _MOST_THREADS, _OUTPUT_BYTES)

    def _unsandboxed(
        self,
        line: Sequence[str],
        folders: Folders,
        allowance: Allowance,
        more: Mapping[str, str],
        sent: bytes | None = None,
        handed: Sequence[int] = (),
    ) -> Command:
        home = {"HOME": str(folders.scratch), "TMPDIR": str(folders.scratch)}
        environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"} | dict(self.toolchain.environment) | home | dict(more)
        return Command(line, allowance, sent, environment, folders.scratch, handed)

    def _isolated(
        self,
        limited: Sequence[str],
        seen: Mapping[Path, str],
        options: Sequence[str],
        more: Mapping[str, str],
        scratch_bytes: int,
    ) -> list[str]:
        # There is no /proc inside; compilers and the JDK find their libraries by this one link in it.
        name = next(part for part in limited[1:] if not part.startswith("-"))
        found = shutil.which(name, path=SYSTEM_PATH)
        link = ["--symlink", str(Path(found).resolve()), "/proc/self/exe"] if found else []
        readable = {path: path for pattern in (_ALTERNATIVES, *self.toolchain.readable) for path in glob.glob(pattern)}
        readable |= {str(folder): place for folder, place in seen.items()}
        readable[str(self.prepared)] = _INSIDE.prepared
        return isolated(
            limited,
            scratch_bytes=scratch_bytes,
            readable=readable,
            environment=dict(self.toolchain.environment) | dict(more),
            options=[*link, *options],
        )


def _system_call_filter() -> int:
    """Return a descriptor from which bubblewrap reads the filter of one run."""
    try:
        code = filter_code(os.uname().machine, threads=True)
    except OSError as error:
        raise SandboxUnavailable(f"programs cannot be isolated here: {error}") from None
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe:
        pipe.write(code)
    return reading

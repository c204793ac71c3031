"""The Python that runs inside the sandbox: this one, or that of another environment.

Enters: the path of an interpreter, such as `env/bin/python`. Leaves: the real program and the folders it needs, so that
they can be shown to the sandbox alone.
Not guaranteed: that the packages there work; an interpreter older than 3.10 cannot run the worker.
"""

import json
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evaluation.errors import BenchmarkError

_DESCRIBE = """
import json, os, sys, sysconfig
packages = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
packages = [path for path in packages if os.path.isdir(path)]
print(json.dumps([os.path.realpath(sys.executable), sys.base_prefix, packages]))
"""
_FIND = """
import importlib.util, json, sys
print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))
"""
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python and what it may import."""

    program: str
    """The interpreter itself, no link."""
    prefix: str
    """Where its standard library lies."""
    packages: tuple[str, ...]
    """Folders of installed packages."""


@cache
def inspect_interpreter(python: Path) -> Interpreter:
    """Ask an interpreter where it and its packages lie.

    Raises:
        BenchmarkError: it cannot be run.
    """
    program, prefix, packages = json.loads(_ask(python, _DESCRIBE))
    return Interpreter(program, prefix, tuple(packages))


def missing_modules(python: Path, names: Collection[str]) -> list[str]:
    """Return those of the top-level modules `names` that the interpreter does not find; nothing is imported.

    Raises:
        BenchmarkError: it cannot be run.
    """
    found: list[str] = json.loads(_ask(python, _FIND, *names))
    return found


def _ask(python: Path, code: str, *arguments: str) -> str:
    try:
        command = [str(python), "-I", "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"{python}: not a Python that can be run: {error}") from None

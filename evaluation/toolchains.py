"""What the languages of the benchmarks need on this machine, and which Debian package brings it.

Enters: a language and the code of a task. Leaves: nothing, or why the task cannot be run here and what to install.
Only what lies in the system's folders counts: a compiler in somebody's home folder is not seen inside the sandbox.
Not guaranteed: that an installed toolchain works; preparing a run (see `native`) tells that.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where executables are looked for."""

NODE_FOLDERS = (
    "/usr/local/lib/node_modules",
    "/usr/lib/node_modules",
    "/usr/share/nodejs",
    "/usr/lib/nodejs",
)
"""Where Node finds packages."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a language or some of its tasks need."""

    places: tuple[str, ...]
    """An executable's name, or absolute paths (with wildcards) of which one must exist."""
    remedy: str
    mark: str = ""
    """Only tasks whose code holds this text need it; empty: all do."""

    @property
    def is_met(self) -> bool:
        """Whether it is there."""
        return any(_exists(place) for place in self.places)


def _package(place: str, package: str, mark: str = "") -> Need:
    name = place.rpartition("/")[2]
    return Need((place,), f"{name} is missing: apt-get install {package}", mark)


_BUBBLEWRAP_LIMITER = _package("prlimit", "util-linux")
_CRATES = "/usr/share/cargo/registry"

NEEDS: dict[str, tuple[Need, ...]] = {
    "javascript": (
        _package("node", "nodejs"),
        Need(
            tuple(f"{folder}/js-md5" for folder in NODE_FOLDERS),
            "the Node package js-md5 is missing, which Debian does not have: npm install --global js-md5",
            "js-md5",
        ),
    ),
    "java": (
        _package("javac", "default-jdk-headless"),
        _package("java", "default-jdk-headless"),
        _package("/usr/share/java/javatuples.jar", "libjavatuples-java", "org.javatuples"),
    ),
    "go": (
        _package("go", "golang-go"),
        _package(
            "/usr/share/gocode/src/github.com/stretchr/testify",
            "golang-github-stretchr-testify-dev",
            "stretchr/testify",
        ),
    ),
    "cpp": (
        _package("g++", "g++"),
        _package("/usr/include/boost/any.hpp", "libboost-dev", "boost/"),
        _package("/usr/include/openssl/md5.h", "libssl-dev", "openssl/"),
    ),
    "rust": (
        _package("rustc", "rustc"),
        _package("gcc", "gcc"),
        _package("cargo", "cargo", "use rand::"),
        _package(f"{_CRATES}/rand-0*", "librust-rand-dev", "use rand::"),
        _package(f"{_CRATES}/regex-1*", "librust-regex-dev", "use regex::"),
        _package(f"{_CRATES}/md5-0*", "librust-md5-dev", "use md5;"),
    ),
    "php": (_package("php", "php-cli"),),
    "swift": (
        Need(
            ("swiftc",),
            "swiftc is missing: Debian 12 has no Swift toolchain (Debian 13 brings it as swiftlang)",
        ),
    ),
}
"""Language -> what its tasks need. Python needs nothing: the interpreter that runs this serves."""


def missing(language: str, code: str) -> str:
    """Return why a task with this code cannot be run here, with the remedy; empty where it can."""
    needs = [_BUBBLEWRAP_LIMITER, *NEEDS[language]]
    return "; ".join(dict.fromkeys(need.remedy for need in needs if need.mark in code and not need.is_met))


def missing_tasks(language: str, codes: Mapping[str, str]) -> dict[str, str]:
    """Return, of tasks by id with their code, those that cannot be run here, with the reason."""
    reasons = {task_id: missing(language, code) for task_id, code in codes.items()}
    return {task_id: reason for task_id, reason in reasons.items() if reason}


def _exists(place: str) -> bool:
    if not place.startswith("/"):
        return shutil.which(place, path=SYSTEM_PATH) is not None
    folder, _, pattern = place.rpartition("/")
    return any(Path(folder).glob(pattern))

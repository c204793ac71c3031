"""A git repository that nobody vouches for, as commits and objects; nothing of it is run, and none of its paths opened.

Enters: the folder of a repository, bare or not. Leaves: its commits, newest first, each with its message and what it
changes, and the bytes of objects by their ids. The `git` program reads the objects from a folder of settings of our
own, so that those of the repository (hooks, filters, monitors, signers, external diffs, remotes) are not read; only to
find its head are they parsed. What git takes is bounded: the memory, the time for a whole repository, the entries of a
commit. Not guaranteed: objects that a shallow or partial clone does not have.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self, cast

from inverse_instruct.errors import CorpusError

MAX_MESSAGE_BYTES = 1 << 16  # the rest of a longer message is dropped
MAX_ENTRIES = 1_000_000  # of one commit; trees can be made to have billions
_MEMORY_BYTES = 2 << 30
_HEAD_SECONDS = 30.0
_KEPT = 2  # changes of a commit that are told; of the others only how many there are
_NEUTRAL = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SETTINGS = ["core.fsmonitor=", f"core.hooksPath={os.devnull}", "core.commitGraph=false", "core.multiPackIndex=false"]


class GitFailed(Exception):
    """Git cannot read a repository, or not within the limits; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to one path."""

    old_mode: str
    new_mode: str
    old: str  # id of the content before
    new: str
    status: str  # `M`, `A`, `D` or `T`
    path: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: the first of its changes, and how many there are. A merge has none."""

    id: str
    parents: int
    message: str
    changes: tuple[Change, ...]
    changed: int


@dataclass(frozen=True, slots=True)
class Head:
    """Where a repository stands, and where its objects lie."""

    commit: str
    object_format: str
    objects: Path
    shallow: Path


def head_of(path: Path) -> Head:
    """Return where a repository stands.

    Raises:
        CorpusError: it is none, has no commit, or git is not there.
    """
    if not path.is_dir():
        raise CorpusError(f"{path}: there is no such folder; give the folder of a git repository")
    git_dir = path / ".git" if (path / ".git").exists() else path
    questions = ["--show-object-format", "--git-path", "objects", "--git-path", "shallow", "HEAD^{commit}"]
    command = ["git", *(part for setting in _SETTINGS for part in ("-c", setting)), "rev-parse", *questions]
    environment = _environment() | {"GIT_DIR": str(git_dir.absolute())}
    try:
        answer = subprocess.run(
            command, cwd=path, env=environment, capture_output=True, timeout=_HEAD_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CorpusError(f"{path}: git cannot be asked ({error}); install git, or check the path") from error
    lines = answer.stdout.decode("utf-8", "surrogateescape").splitlines()
    if answer.returncode or len(lines) != 4:
        why = (answer.stderr.decode("utf-8", "replace").strip().splitlines() or ["no answer"])[0]
        raise CorpusError(f"{path}: is no git repository with a commit ({why[:200]}); check the path")
    return Head(lines[3], lines[0], (path / lines[1]).absolute(), (path / lines[2]).absolute())


@dataclass
class Repository:
    """An open repository; use it in a `with` statement."""

    path: Path
    max_seconds: float
    late: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        """Find the head, and start the program that gives out objects.

        Raises:
            CorpusError: as of `head_of`.
        """
        self.head = head_of(self.path)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inverse-instruct-git-")))
            _write_settings(folder, self.head.object_format)
            self._environment = _environment() | {
                "GIT_DIR": str(folder),
                "GIT_OBJECT_DIRECTORY": str(self.head.objects),
                "GIT_SHALLOW_FILE": str(self.head.shallow) if self.head.shallow.is_file() else os.devnull,
            }
            self._processes: list[subprocess.Popen[bytes]] = []
            stack.callback(self._end)
            self._timer = threading.Timer(self.max_seconds, self._be_late)
            self._timer.daemon = True
            self._timer.start()
            stack.callback(self._timer.cancel)
            self._objects = self._start("cat-file", "--batch-command", "--buffer")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End what runs."""
        self._stack.close()

    def commits(self, limit: int) -> Iterator[Commit]:
        """Yield the commits that lead to the head, newest first.

        Raises:
            GitFailed: git cannot go on; what was yielded is right.
        """
        command = ["log", "-z", "--raw", "--no-abbrev", "--no-renames", "--format=%H%n%P%n%B", f"-n{limit}"]
        process = self._start(*command, self.head.commit)
        entries: list[Change] = []
        header, count = "", 0
        tokens = _tokens(cast(IO[bytes], process.stdout))
        for token in tokens:
            text = token.decode("utf-8", "replace").lstrip("\n")
            if text.startswith(":"):
                path = next(tokens, b"").decode("utf-8", "replace")
                count += 1
                if len(entries) < _KEPT:
                    old_mode, new_mode, old, new, status = text[1:].split(" ")
                    entries.append(Change(old_mode, new_mode, old, new, status[:1], path))
                if count > MAX_ENTRIES:
                    raise GitFailed(f"commit {header[:12]} changes more than {MAX_ENTRIES} paths")
            elif text:
                if header:
                    yield _commit(header, entries, count)
                header, entries, count = text, [], 0
        if process.wait() or self.late:
            raise GitFailed(self._why("the history cannot be read to its end"))
        if header:
            yield _commit(header, entries, count)

    def read(self, object_id: str, max_bytes: int) -> tuple[str, bytes] | None:
        """Return the kind of an object and its bytes; None if it has more than so many, or is not there.

        Raises:
            GitFailed: git has ended.
        """
        told = self._ask(f"info {object_id}").split()
        if len(told) != 3 or int(told[2]) > max_bytes:
            return None
        kind, size = self._ask(f"contents {object_id}").split()[1:]
        content = cast(IO[bytes], self._objects.stdout).read(int(size) + 1)
        if len(content) != int(size) + 1:
            raise GitFailed(self._why(f"object {object_id} cannot be read"))
        return kind, content[:-1]

    def _ask(self, question: str) -> str:
        try:
            stream = cast(IO[bytes], self._objects.stdin)
            stream.write(f"{question}\nflush\n".encode())
            stream.flush()
            line = cast(IO[bytes], self._objects.stdout).readline(1000)
        except OSError:
            line = b""
        if not line:
            raise GitFailed(self._why("it gives out no more objects"))
        return line.decode("ascii", "replace")

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["git", *command],
            env=self._environment,
            cwd=self._environment["GIT_DIR"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
        self._processes.append(process)
        return process

    def _why(self, otherwise: str) -> str:
        return f"git took more than {self.max_seconds:g} s" if self.late else otherwise

    def _be_late(self) -> None:
        self.late = True
        for process in list(self._processes):
            process.kill()

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    try:
                        pipe.close()
                    except OSError:  # what was not sent yet goes nowhere
                        pass


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, **_NEUTRAL}


def _write_settings(folder: Path, object_format: str) -> None:
    """Make a repository without anything of its own."""
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    version = "\trepositoryformatversion = 1\n\tbare = true\n\tcommitGraph = false\n\tmultiPackIndex = false\n"
    (folder / "config").write_text(f"[core]\n{version}[extensions]\n\tobjectFormat = {object_format}\n")


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands between NUL bytes, of each at most so many bytes."""
    kept = b""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        *ended, rest = chunk.split(b"\0")
        for part in ended:
            yield (kept + part)[:MAX_MESSAGE_BYTES]
            kept = b""
        kept = (kept + rest)[:MAX_MESSAGE_BYTES]


def _commit(header: str, entries: list[Change], count: int) -> Commit:
    commit_id, parents, message = (*header.split("\n", 2), "", "")[:3]
    return Commit(commit_id, len(parents.split()), message, tuple(entries), count)

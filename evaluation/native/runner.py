"""Compiles and runs programs with their tests, several at once.

Enters: a toolchain (see `toolchain`), solutions with their tests. Leaves: the reason why each failed, if it did.
Not guaranteed: see the package.
"""

import glob
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evaluation.confinement import filter_code
from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.execution import USER_NAMESPACE_REMEDY, completed
from evaluation.isolation import SCRATCH, isolated
from evaluation.native.sources import MAX_CHARACTERS, redefinitions
from evaluation.native.toolchain import ASSERTION_FAILED, CANNOT_LOAD, Places, Recipe, Toolchain
from evaluation.native.watching import Allowance, Ended, run_watched
from evaluation.programs import Reason, ResourceLimits
from evaluation.suite import Examiner, Execution, Sample, Verdict
from evaluation.toolchains import SYSTEM_PATH

Item = TypeVar("Item")

_INSIDE = Places("/sources", "/build", "/prepared")
_COMPILING_SECONDS = 60.0
_COMPILING_MEMORY_BYTES = 2 << 30
_PROBE_SECONDS = 30.0
_BUBBLEWRAP_COMPLAINT = "bwrap: "
_MOST_THREADS = 256
_OUTPUT_BYTES = 1 << 20
_DETAIL_CHARACTERS = 300
_LIMITED = ("/usr/bin/prlimit", "--core=0", "--fsize=268435456")
_ALTERNATIVES = "/etc/alternatives"
"""Links by which Debian finds many executables of /usr."""
_SIGNALED = 128
"""Added to the number of a signal, it is the status bubblewrap ends with."""


@dataclass(frozen=True, slots=True)
class TestedProgram:
    """A solution and its tests, apart: what each toolchain makes of the two differs."""

    __test__ = False  # for pytest, which takes names that begin so for tests

    solution: str
    tests: str
    seconds: float
    """Limit of the run; compiling has its own."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one program: `reason` is None where all tests passed."""

    __test__ = False

    reason: Reason | None
    detail: str
    seconds: float


class NativeRunner:
    """Runs programs of one language; made by `open_runner`."""

    def __init__(self, toolchain: Toolchain, execution: Execution, prepared: Path, pool: ThreadPoolExecutor) -> None:
        """Take what is prepared."""
        self._toolchain = toolchain
        self._execution = execution
        self._prepared = prepared
        self._pool = pool
        self._abandoned = threading.Event()
        self._limits = ResourceLimits(memory_bytes=execution.memory_bytes)

    def run(self, items: Iterable[Item], build: Callable[[Item], TestedProgram]) -> Iterator[tuple[Item, TestResult]]:
        """Yield each item with the result of the program that `build` makes of it, in the order of completion."""
        return completed(self._pool, items, lambda item: (item, self._run_one(build(item))))

    def prove(self) -> None:
        """See that a right program passes, so that no fault of the machine counts as one of a solution.

        Raises:
            SandboxUnavailable: programs cannot be isolated here.
            BenchmarkError: the toolchain does not work in the sandbox.
        """
        [(_, result)] = self.run([None], lambda _: TestedProgram(*self._toolchain.probe, _PROBE_SECONDS))
        if _BUBBLEWRAP_COMPLAINT in result.detail:
            raise SandboxUnavailable(
                f"bubblewrap cannot isolate code on this machine ({result.detail}): {USER_NAMESPACE_REMEDY}"
            )
        if result.reason is not None:
            raise BenchmarkError(f"{self._toolchain.language}: its toolchain does not work here: {result.detail}")

    def abandon(self) -> None:
        """Stop what is running and drop what waits."""
        self._abandoned.set()
        self._pool.shutdown(cancel_futures=True)

    def _run_one(self, program: TestedProgram) -> TestResult:
        if len(program.solution) > MAX_CHARACTERS:
            return TestResult("refused", f"a solution of more than {MAX_CHARACTERS} characters", 0.0)
        taken = redefinitions(self._toolchain.language, program.solution, program.tests)
        if taken:
            return TestResult("refused", f"redefines what the tests use: {', '.join(taken)}", 0.0)
        with tempfile.TemporaryDirectory(prefix="program-") as name:
            sources, build = Path(name, "sources"), Path(name, "build")
            places = Places(str(sources), str(build), str(self._prepared)) if self._execution.unsandboxed else _INSIDE
            recipe = self._toolchain.recipe(program.solution, program.tests, places, self._execution.memory_bytes)
            for folder in (sources, build):
                folder.mkdir()
            for file, text in recipe.files.items():
                (sources / file).write_text(text, encoding="utf-8", errors="replace")
            return self._compile_and_run(recipe, sources, build, program.seconds)

    def _compile_and_run(self, recipe: Recipe, sources: Path, build: Path, seconds: float) -> TestResult:
        for command in recipe.compiling:
            compiling = Allowance(
                _COMPILING_SECONDS, self._limits.patience, _COMPILING_MEMORY_BYTES, _MOST_THREADS, _OUTPUT_BYTES
            )
            seen = {sources: _INSIDE.sources}
            ended = self._start(command, compiling, seen, writable=build)
            if ended.stopped or ended.status:
                reason: Reason = ended.stopped or "syntax"
                return TestResult(reason, ended.detail or f"not compiled: {_brief(ended)}", ended.seconds)
        running = Allowance(seconds, self._limits.patience, self._limits.memory_bytes, _MOST_THREADS, _OUTPUT_BYTES)
        seen = {build: _INSIDE.build} if recipe.compiling else {sources: _INSIDE.sources}
        token = secrets.token_hex(16).encode("ascii")
        ended = self._start(recipe.running, running, seen, sent=token + recipe.sent.encode("utf-8", "replace"))
        reason_found, detail = self._judge(ended, token, recipe.silent)
        return TestResult(reason_found, detail, ended.seconds)

    def _judge(self, ended: Ended, token: bytes, silent: bool) -> tuple[Reason | None, str]:
        if ended.stopped:
            return ended.stopped, ended.detail
        if ended.status == 0 and ended.answer == token:
            if silent and ended.output:
                return "assertion", f"printed something, which counts as a failed test: {_brief(ended)}"
            return None, ""
        output = ended.output.decode("utf-8", "replace")
        if ended.status == CANNOT_LOAD:
            return "syntax", _brief(ended)
        reason = "assertion" if ended.status == ASSERTION_FAILED else self._toolchain.reason(output)
        if reason:
            return reason, _brief(ended)
        if ended.status == 0:
            return "exited", "it ended before the last test"
        return "exception", _brief(ended) or _describe(ended.status)

    def _start(
        self,
        command: Sequence[str],
        allowance: Allowance,
        seen: Mapping[Path, str],
        *,
        writable: Path | None = None,
        sent: bytes = b"",
    ) -> Ended:
        """Run one command in isolation; only the run of a program, which may write nothing, is kept from forking."""
        if self._execution.unsandboxed:
            environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"} | dict(self._toolchain.environment)
            with tempfile.TemporaryDirectory(prefix="scratch-") as scratch:
                environment |= {"HOME": scratch, "TMPDIR": scratch}
                return run_watched(
                    [*_LIMITED, *command],
                    allowance,
                    sent=sent,
                    environment=environment,
                    folder=Path(scratch),
                    abandoned=self._abandoned,
                )
        # There is no /proc inside; compilers and the JDK find their libraries by this one link in it.
        found = shutil.which(command[0], path=SYSTEM_PATH)
        options = ["--symlink", str(Path(found).resolve()), "/proc/self/exe"] if found else []
        if writable:
            options += ["--bind", str(writable), _INSIDE.build]
        patterns = (_ALTERNATIVES, *self._toolchain.readable)
        readable = {path: path for pattern in patterns for path in glob.glob(pattern)}
        readable |= {str(folder): place for folder, place in seen.items()}
        readable[str(self._prepared)] = _INSIDE.prepared
        with _system_call_filter() as descriptor:
            if not writable:
                options += ["--seccomp", str(descriptor)]
            line = isolated(
                [*_LIMITED, *command],
                scratch_bytes=self._limits.scratch_bytes,
                readable=readable,
                environment=self._toolchain.environment,
                options=options,
            )
            kept_open = () if writable else (descriptor,)
            return run_watched(line, allowance, sent=sent, kept_open=kept_open, abandoned=self._abandoned)


@contextmanager
def open_runner(toolchain: Toolchain, execution: Execution) -> Iterator[NativeRunner]:
    """Prepare a toolchain and run programs with it.

    Raises:
        SandboxUnavailable: programs cannot be isolated here.
        BenchmarkError: the toolchain does not work.
    """
    with tempfile.TemporaryDirectory(prefix="toolchain-") as name:
        toolchain.prepare(Path(name))
        with ThreadPoolExecutor(execution.workers, "native") as pool:
            runner = NativeRunner(toolchain, execution, Path(name), pool)
            try:
                runner.prove()
                yield runner
            finally:
                runner.abandon()


@contextmanager
def native_examiner(
    toolchain: Toolchain, execution: Execution, build: Callable[[Sample], TestedProgram]
) -> Iterator[Examiner]:
    """Judge samples by the tested programs that `build` makes of them; the whole examiner of a suite.

    Raises:
        SandboxUnavailable: programs cannot be isolated here.
        BenchmarkError: the toolchain does not work.
    """
    with open_runner(toolchain, execution) as runner:

        def examine(samples: Sequence[Sample], /) -> Iterator[Verdict]:
            for sample, result in runner.run(samples, build):
                passed = result.reason is None
                yield Verdict(sample.task_id, sample.index, passed, None, result.reason, result.detail, result.seconds)

        yield examine


@contextmanager
def _system_call_filter() -> Iterator[int]:
    """Yield a descriptor from which bubblewrap reads the filter of one run."""
    try:
        code = filter_code(os.uname().machine, threads=True)
    except OSError as error:
        raise SandboxUnavailable(f"programs cannot be isolated here: {error}") from None
    with tempfile.TemporaryFile() as file:
        file.write(code)
        file.seek(0)
        yield file.fileno()


def _brief(ended: Ended) -> str:
    """Return the part of the output that says most: its first lines that are not blank."""
    lines = [line.strip() for line in ended.output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines).replace(SCRATCH + "/", "")[:_DETAIL_CHARACTERS]


def _describe(status: int) -> str:
    number = -status if status < 0 else status - _SIGNALED
    return f"ended by signal {number}" if number > 0 else f"ended with status {status}"

"""Judges programs: the tests of a task in one process, a program in another, joined by nothing but a pair of sockets.

Enters: a toolchain (see `toolchain`), solutions and what tests them. Leaves: the reason why each failed, if it did.
Not guaranteed: see the package.
"""

import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.execution import USER_NAMESPACE_REMEDY, completed
from evaluation.isolation import SCRATCH
from evaluation.limited_process import ProcessFailed
from evaluation.native.boxes import Boxes, Folders
from evaluation.native.lease_cache import LeaseCache
from evaluation.native.sources import MAX_CHARACTERS
from evaluation.native.toolchain import (
    CALL_FAILED,
    CANNOT_LOAD,
    TOO_LARGE,
    WRONG_VALUE,
    Places,
    Recipe,
    Task,
    Toolchain,
)
from evaluation.native.watching import Ended, run_watched
from evaluation.programs import Reason
from evaluation.reading import within_limits
from evaluation.suite import Examiner, Execution, Sample, Verdict

Item = TypeVar("Item")

_PROBE_SECONDS = 30.0
_KEPT_TESTS = 32
_BUBBLEWRAP_COMPLAINT = "bwrap: "
_DETAIL_CHARACTERS = 300
_SIGNALED = 128
"""Added to the number of a signal, it is the status bubblewrap ends with."""


@dataclass(frozen=True, slots=True)
class TestedProgram:
    """A solution and what tests it, which never meet in one process."""

    __test__ = False  # for pytest, which takes names that begin so for tests

    solution: str
    task: Task
    seconds: float
    """Limit of the run, for the solution and for the tests; compiling has its own."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one program: `reason` is None where all tests passed."""

    __test__ = False

    reason: Reason | None
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Built:
    """Tests or a program, ready to run, or the result that this was not to be."""

    folders: Folders
    recipe: Recipe
    failure: TestResult | None


class NativeRunner:
    """Runs programs of one language; made by `open_runner`."""

    def __init__(
        self, toolchain: Toolchain, execution: Execution, prepared: Path, folder: Path, pool: ThreadPoolExecutor
    ) -> None:
        """Take what is prepared; programs are built in `folder`."""
        self._toolchain = toolchain
        self._execution = execution
        self._boxes = Boxes(toolchain, execution, prepared)
        self._folder = folder
        self._pool = pool
        self._abandoned = threading.Event()
        self._tests = LeaseCache(self._build_tests, _remove, _KEPT_TESTS)

    def run(self, items: Iterable[Item], build: Callable[[Item], TestedProgram]) -> Iterator[tuple[Item, TestResult]]:
        """Yield each item with the result of the program that `build` makes of it, in the order of completion."""
        return completed(self._pool, items, lambda item: (item, self.judge(build(item))))

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

    def judge(self, program: TestedProgram) -> TestResult:
        """Return what comes of one program."""
        if len(program.solution) > MAX_CHARACTERS:
            return TestResult("refused", f"a solution of more than {MAX_CHARACTERS} characters", 0.0)
        built = self._build_program(program)
        try:
            if built.failure:
                return built.failure
            with self._tests.use(program.task) as tests:
                return tests.failure or self._run(tests, built, program.seconds)
        finally:
            _remove(built)

    def _build_program(self, program: TestedProgram) -> _Built:
        folders = self._new_folders()
        places, memory = self._boxes.places(folders), self._execution.memory_bytes
        asked = (self._toolchain, program.solution, program.task.head, places, memory)
        try:
            return self._build(folders, Recipe(**within_limits(_recipe_of_program, *asked)))
        except ProcessFailed as error:
            refused = TestResult("refused", f"a solution that cannot be parsed: {error}", 0.0)
            return _Built(folders, Recipe({}, [], []), refused)

    def _build_tests(self, task: Task) -> _Built:
        folders = self._new_folders()
        places, memory = self._boxes.places(folders), self._execution.memory_bytes
        built = self._build(folders, self._toolchain.tests(task, places, memory))
        if built.failure and built.failure.reason not in ("syntax", "not_run"):
            raise BenchmarkError(f"the tests of {task.head[-80:]!r} cannot be compiled here: {built.failure.detail}")
        return built

    def _new_folders(self) -> Folders:
        folders = Folders(Path(tempfile.mkdtemp(dir=self._folder)))
        folders.make()
        return folders

    def _build(self, folders: Folders, recipe: Recipe) -> _Built:
        for file, text in recipe.files.items():
            (folders.sources / file).write_text(text, encoding="utf-8", errors="replace")
        for line in recipe.compiling:
            [ended] = run_watched([self._boxes.compiling(line, folders)], self._abandoned)
            if ended.stopped or ended.status:
                detail = ended.detail or f"not compiled: {_brief(ended)}"
                return _Built(folders, recipe, TestResult(ended.stopped or "syntax", detail, ended.seconds))
        return _Built(folders, recipe, None)

    def _run(self, tests: _Built, program: _Built, seconds: float) -> TestResult:
        token = secrets.token_hex(16).encode("ascii")
        commands = []
        joints = [end.detach() for end in socket.socketpair()]
        for built, joint, sent in zip((tests, program), joints, (token, None), strict=True):
            compiled, line = bool(built.recipe.compiling), built.recipe.running
            commands.append(self._boxes.running(line, built.folders, seconds, joint, compiled=compiled, sent=sent))
        tested, answered = run_watched(commands, self._abandoned)
        return TestResult(*self._conclude(tested, answered, token), tested.seconds)

    def _conclude(self, tested: Ended, answered: Ended, token: bytes) -> tuple[Reason | None, str]:
        """Return the verdict: a pass is the word of the tests alone, of which nothing of the program is part."""
        for ended in (answered, tested):
            if ended.stopped:
                return ended.stopped, ended.detail
        if tested.status == 0 and tested.answer == token:
            if self._toolchain.silent and (answered.output or tested.output):
                return "assertion", f"printed something, which counts as a failed test: {_brief(answered)}"
            return None, ""
        if tested.status == CALL_FAILED:
            return self._why_it_left(answered)
        if tested.status == CANNOT_LOAD:
            return "syntax", f"the tests: {_brief(tested)}"
        if tested.status == TOO_LARGE:
            return "memory", _brief(tested)
        return "assertion", _brief(tested) or _describe(tested.status)

    def _why_it_left(self, answered: Ended) -> tuple[Reason, str]:
        """Return why a program did not answer a call; how it ended and what it wrote is all there is to go by."""
        known: dict[int, Reason] = {CANNOT_LOAD: "syntax", WRONG_VALUE: "exception", TOO_LARGE: "memory"}
        detail = _brief(answered) or _describe(answered.status)
        if answered.status == 0:
            return "exited", "it ended before the last test"
        if answered.status == -signal.SIGKILL:
            return "exited", "it stopped to answer before the last test"
        if answered.status in known:
            return known[answered.status], detail
        return self._toolchain.reason(answered.output.decode("utf-8", "replace")) or "exception", detail


@contextmanager
def open_runner(toolchain: Toolchain, execution: Execution) -> Iterator[NativeRunner]:
    """Prepare a toolchain and run programs with it.

    Raises:
        SandboxUnavailable: programs cannot be isolated here.
        BenchmarkError: the toolchain does not work.
    """
    with tempfile.TemporaryDirectory(prefix="native-") as name:
        prepared, folder = Path(name, "prepared"), Path(name, "programs")
        prepared.mkdir()
        folder.mkdir()
        toolchain.prepare(prepared)
        with ThreadPoolExecutor(execution.workers, "native") as pool:
            runner = NativeRunner(toolchain, execution, prepared, folder, pool)
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


def _recipe_of_program(toolchain: Toolchain, solution: str, head: str, places: Places, memory: int) -> dict[str, Any]:
    return asdict(toolchain.program(solution, head, places, memory))


def _remove(built: _Built) -> None:
    shutil.rmtree(built.folders.root, ignore_errors=True)


def _brief(ended: Ended) -> str:
    """Return the part of the output that says most: its first lines that are not blank."""
    lines = [line.strip() for line in ended.output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines).replace(SCRATCH + "/", "")[:_DETAIL_CHARACTERS]


def _describe(status: int) -> str:
    number = -status if status < 0 else status - _SIGNALED
    return f"ended by signal {number}" if number > 0 else f"ended with status {status}"

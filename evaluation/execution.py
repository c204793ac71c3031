"""Runs generated programs where they can do no harm, and reports what they returned.

Enters: programs (source text, entry point, inputs). Leaves: per input, the value returned or the reason there is
none. No verdict is formed inside: expected outputs never enter the sandbox, the comparison happens outside (see
`comparison_process`), so the only way to pass is to return the right values. Exit codes and printed text count for
nothing. Of a program with tests of its own language, the tests run in another process than the program; see `scripts`.

What is stopped: network, reading anything but the system's libraries, the interpreter and installed packages,
writing anywhere but a small scratch folder emptied after every program, the caller's environment, starting
processes or programs, signalling or tracing other processes, more than a few threads, memory, the size and the number
of files, CPU and wall-clock time beyond the limits, output beyond the limits, survival of the caller; changing modes of
the devices that all share; finding earlier programs, or what they returned, in memory. A program's time starts when its
sandbox is ready; one that cannot be emptied at once is thrown away.

What is not stopped: attacks on the kernel itself; reading the world-readable part of /usr; heavy timing noise: limits
count CPU time, but caches and clock rates are shared with whatever else runs. A program that needs subprocesses fails.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import repeat
from types import TracebackType
from typing import Self, TypeVar

from evaluation.errors import SandboxUnavailable
from evaluation.framing import DeadlinePassed
from evaluation.programs import (
    Outcome,
    Program,
    ProgramResult,
    ResourceLimits,
    Script,
    ScriptResult,
    read_outcome,
    read_script_result,
    total_seconds,
    unfinished,
    write_request,
    write_script,
)
from evaluation.sandbox_process import Runtime, SandboxLost, SandboxProcess
from evaluation.suite import Execution

USER_NAMESPACE_REMEDY = (
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
    "kernel.apparmor_restrict_unprivileged_userns=0), or inside a container start it with "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
)
"""What to tell where bubblewrap cannot make namespaces."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Accept = Callable[[int, Outcome], bool]
"""Whether the outcome of the input with this number is right."""
RunProgram = Callable[[Program, Accept], ProgramResult]

_NOT_RUN = Outcome(b"", "not_run", "an earlier input failed", 0.0)
_REFERENCE_SECONDS = 60.0
_SLOWDOWN_ALLOWED = 4.0
"""How many times as long as the reference a script may take, as in EvalPlus."""


class Sandbox:
    """A pool of isolated workers; use as a context manager, from one thread."""

    def __init__(self, workers: int = 2, limits: ResourceLimits | None = None, runtime: Runtime | None = None) -> None:
        """Prepare `workers` parallel sandboxes; none is started before `with`."""
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._workers = workers
        self._limits = limits or ResourceLimits()
        self._runtime = runtime or Runtime()
        self._pool: ThreadPoolExecutor | None = None
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._processes: list[SandboxProcess] = []

    def __enter__(self) -> Self:
        """Start, and prove that a program runs confined.

        Raises:
            SandboxUnavailable: it does not; the message names the remedy.
        """
        # A sandbox dies with the thread that started it, so each thread keeps its own for as long as it lives.
        self._pool = ThreadPoolExecutor(self._workers, "sandbox")
        try:
            self._pool.submit(self._prove).result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything still running."""
        self.close()

    def close(self) -> None:
        """Kill all workers and drop the programs still waiting."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            with self._lock:
                for process in self._processes:
                    process.kill()  # its own thread notices and frees the pipes
            pool.shutdown()
            with self._lock:
                processes, self._processes = self._processes, []
            for process in processes:
                process.close()
            self._mine = threading.local()

    def run(self, programs: Iterable[Program]) -> Iterator[ProgramResult]:
        """Yield the result of each program, in the order given, as soon as it and all before it are done.

        Raises:
            SandboxUnavailable: a sandbox could not be started again.
            RuntimeError: used outside `with`.
        """
        if self._pool is None:
            raise RuntimeError("the sandbox is closed: use it inside 'with'")
        return self._pool.map(self.run_one, programs)

    def each(self, items: Iterable[Item], work: Callable[[Item, RunProgram], Result]) -> Iterator[Result]:
        """Yield what `work` makes of each item, in the order of completion, one item per worker at a time.

        `work` is given a function that runs one program at once, and ends it with the first outcome that is not
        accepted; the inputs after it count as not run.

        Raises:
            SandboxUnavailable: a sandbox could not be started again.
            RuntimeError: used outside `with`.
        """
        return self._as_completed(items, lambda item: work(item, self.run_one))

    def submit(self, item: Item, work: Callable[[Item, RunProgram], Result]) -> Future[Result]:
        """Return what `work` will make of an item once a worker is free, as `each` does for many; from any thread.

        Raises:
            RuntimeError: used outside `with`.
        """
        if self._pool is None:
            raise RuntimeError("the sandbox is closed: use it inside 'with'")
        return self._pool.submit(work, item, self.run_one)

    def run_one(self, program: Program, accept: Accept | None = None) -> ProgramResult:
        """Run one program in the calling thread's own sandbox; the thread must live until all are closed.

        Raises:
            SandboxUnavailable: a sandbox could not be started.
        """
        request = write_request(program, self._limits)
        for final in (False, True):
            try:
                return ProgramResult(tuple(self._outcomes(program, request, accept)))
            except SandboxLost as error:
                self._discard()
                if final or self._pool is None:
                    return ProgramResult(unfinished(program, [], "exited", str(error)))
        raise AssertionError("unreachable")

    def run_scripts(
        self, items: Iterable[Item], build: Callable[[Item], Script]
    ) -> Iterator[tuple[Item, ScriptResult]]:
        """Yield each item with the result of the script that `build` makes of it, in the order of completion.

        Raises:
            SandboxUnavailable: a sandbox could not be started again.
            RuntimeError: used outside `with`.
        """
        return self._as_completed(items, lambda item: (item, self._run_script(build(item))))

    def _as_completed(self, items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
        if self._pool is None:
            raise RuntimeError("the sandbox is closed: use it inside 'with'")
        return completed(self._pool, items, work)

    def _run_script(self, script: Script) -> ScriptResult:
        result = self._run_once(script)
        if result.reason != "time" or script.reference is None:
            return result
        timed = self._run_once(replace(script, code=script.reference, seconds=_REFERENCE_SECONDS))
        allowed = _SLOWDOWN_ALLOWED * timed.seconds
        if timed.reason is not None or allowed <= script.seconds:
            return result
        return self._run_once(replace(script, seconds=allowed))

    def _run_once(self, script: Script) -> ScriptResult:
        request, tests = write_script(script, self._limits)
        allowed = self._limits.patience * script.seconds + self._limits.grace_seconds
        for final in (False, True):
            try:
                [message] = self._process().converse(request, 1, self._limits.output_bytes, allowed, tests)
                return read_script_result(message)
            except DeadlinePassed:
                self._discard()
                return ScriptResult("time", "the sandbox was killed at the hard limit", script.seconds)
            except SandboxLost as error:
                self._discard()
                if final or self._pool is None:
                    return ScriptResult("exited", str(error), 0.0)
        raise AssertionError("unreachable")

    def _outcomes(self, program: Program, request: bytes, accept: Accept | None = None) -> list[Outcome]:
        """Collect what the worker tells; raises `SandboxLost`."""
        outcomes: list[Outcome] = []
        stopped = False
        budget = self._limits.total_output_bytes
        allowed = self._limits.patience * (self._limits.load_seconds + total_seconds(program))
        allowed += self._limits.grace_seconds
        steps = 1 + len(program.inputs)
        try:
            process = self._process()
            for message in process.converse(request, steps, self._limits.output_bytes, allowed):
                if stopped:
                    continue  # what was under way when the worker was told
                budget -= len(message.payload)
                if budget < 0:
                    self._discard()
                    return list(unfinished(program, outcomes, "memory", "the outputs together are over the limit"))
                if message.kind == b"X":
                    failure = read_outcome(message)
                    return list(unfinished(program, outcomes, failure.reason, failure.detail, failure.seconds))
                if message.kind == b"R":
                    outcomes.append(read_outcome(message))
                    if accept and not accept(len(outcomes) - 1, outcomes[-1]):
                        process.stop()
                        stopped = True
                elif message.payload:
                    return list(repeat(read_outcome(message), len(program.inputs)))
        except DeadlinePassed:
            self._discard()
            return list(unfinished(program, outcomes, "time", "the sandbox was killed at the hard limit"))
        return [*outcomes, *repeat(_NOT_RUN, len(program.inputs) - len(outcomes))]

    def _process(self) -> SandboxProcess:
        process: SandboxProcess | None = getattr(self._mine, "process", None)
        if process is None:
            process = self._mine.process = SandboxProcess(self._limits.scratch_bytes, self._runtime)
            with self._lock:
                self._processes.append(process)
            if self._pool is None:
                process.kill()  # closed meanwhile, before it could be found among the processes
        return process

    def _discard(self) -> None:
        process: SandboxProcess | None = getattr(self._mine, "process", None)
        if process is None:
            return
        process.close()
        self._mine.process = None
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)

    def _prove(self) -> None:
        probe = Program("def probe(number):\n    return number + 1\n", "probe", [[41]], [10.0])
        process = self._process()
        try:
            [outcome] = self._outcomes(probe, write_request(probe, self._limits))
            process.await_ready()
        except SandboxLost:
            complaint = process.complaint or "it ended without a word"
            if not complaint.startswith("bwrap:"):
                last = complaint.splitlines()[-1]
                raise SandboxUnavailable(f"{self._runtime.python} does not run the sandbox's worker: {last}") from None
            raise SandboxUnavailable(
                f"bubblewrap cannot isolate code on this machine ({complaint.splitlines()[0]}): {USER_NAMESPACE_REMEDY}"
            ) from None
        if outcome.value != 42:
            raise SandboxUnavailable(f"the sandbox does not run programs here: {outcome.detail}")


def completed(pool: ThreadPoolExecutor, items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield what `work` makes of each item, in the order of completion; what has not begun is dropped at the end."""
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def open_sandbox(execution: Execution, runtime: Runtime | None = None, limits: ResourceLimits | None = None) -> Sandbox:
    """Return the sandbox, not yet started, that runs programs as `execution` says, in `runtime` or in this Python."""
    limits = replace(limits or ResourceLimits(), memory_bytes=execution.memory_bytes)
    return Sandbox(execution.workers, limits, replace(runtime or Runtime(), isolated=not execution.unsandboxed))


def run_program(
    sandbox: Sandbox, code: str, entry_point: str, inputs: Sequence[Sequence[object]], seconds: float = 4.0
) -> tuple[Outcome, ...]:
    """Return what `code` gives for each of `inputs`, with `seconds` of time for each."""
    [result] = sandbox.run([Program(code, entry_point, inputs, [seconds] * len(inputs))])
    return result.outcomes

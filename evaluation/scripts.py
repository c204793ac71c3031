"""Programs judged by tests of their own language: what the tests say decides, in a process that no program shares.

Enters: `Script`s, a program and its tests as Python source. Leaves: verdicts.

A program runs in one process, its tests in another, both in the sandbox. What the tests use of the program is asked of
its process, which never sees the tests, what they expect, or the token by which their end is known. So a program cannot
read or patch what judges it: names, builtins, modules and frames of the tests are their own; ending early by any way,
exceptions that end loops, writing to every descriptor and tracing do not pass. Plain data that a program returns is
compared by the operators of the tests' process, whatever class it pretends to be of (see `remote`), and of the library
it can hand the tests nothing but modules, exceptions and classes of plain data (see `wire`).

Not guaranteed: what a program says of objects that the tests ask it for, so that operators of a class that the task
asks for can say yes to anything. Tests that get hold of more than what they can be told over a link fail: they cannot
derive a class from one of the program, wait for its coroutines or see what it prints. A script without a program, as
those of DS-1000 are, runs what it judges in the process of its tests. Then a program passes that patches what the tests
call, or that finds the token by searching the process's memory.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from evaluation.execution import open_sandbox
from evaluation.programs import Script, ScriptResult
from evaluation.sandbox_process import Runtime
from evaluation.suite import Examiner, Execution, Sample, Verdict
from evaluation.syntax import NO_PROGRAM, read_tree

__all__ = ["Script", "ScriptResult", "script_examiner", "with_helpers"]


@contextmanager
def script_examiner(
    execution: Execution, build: Callable[[Sample], Script], runtime: Runtime | None = None
) -> Iterator[Examiner]:
    """Judge samples by the scripts that `build` makes of them; the whole examiner of a suite with such tests.

    Raises:
        SandboxUnavailable: programs cannot be isolated here.
    """
    with open_sandbox(execution, runtime) as sandbox:

        def examine(samples: Sequence[Sample], /) -> Iterator[Verdict]:
            for sample, result in sandbox.run_scripts(samples, build):
                passed = result.reason is None
                yield Verdict(sample.task_id, sample.index, passed, None, result.reason, result.detail, result.seconds)

        yield examine


def with_helpers(prompt: str, entry_point: str, tests: str) -> str:
    """Return tests that find the functions which a prompt defines as the prompt defines them, but for the one asked."""
    try:
        names = {getattr(node, "name", None) for node in read_tree(prompt).body}
    except NO_PROGRAM:
        return tests
    return f"{prompt}\ndel {entry_point}\n{tests}" if entry_point in names else f"{prompt}\n{tests}"

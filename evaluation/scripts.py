"""Programs judged by tests of their own language: run to the end in the sandbox, a pass shown by a token.

Enters: `Script`s, a program and its tests as Python source. Leaves: verdicts.

The tests share a process with the program they judge, so unlike with `Program`, whose outputs are compared outside,
a pass is only as good as this: the fork announces a random token before the program runs and writes it again after
the last statement of the tests, if no exception came. Leaving early by any way, writing to the pipe, patching names or
builtins before the tests begin, catching exceptions, and tracing do not pass.

Not guaranteed: what makes the tests themselves say yes. An object equal to everything, or a function that patches what
the tests call while they call it, passes here as in the official harnesses; so does a program that finds the token by
searching the process's memory. Where that matters, use a suite with inputs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from evaluation.execution import open_sandbox
from evaluation.programs import Script, ScriptResult
from evaluation.sandbox_process import Runtime
from evaluation.suite import Examiner, Execution, Sample, Verdict

__all__ = ["Script", "ScriptResult", "script_examiner"]


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

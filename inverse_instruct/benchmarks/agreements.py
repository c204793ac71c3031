"""Whether a model's second programs agree with its first (self-consistency), each verdict in the journal.

Enters: pairs of programs by task. Leaves: one agreement for each, in their order; what the journal holds is not run
again, and an interrupt ends what is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from evaluation import (
    Agreement,
    BenchmarkError,
    EvalPlusSuite,
    Execution,
    Sandbox,
    SandboxUnavailable,
    judge_agreement,
    open_sandbox,
)
from inverse_instruct.errors import StageError
from inverse_instruct.records import digest
from inverse_instruct.store.journal import Journal
from inverse_instruct.system.stoppable import Stoppable

AT_ONCE = 32


async def find_agreements(
    suite: EvalPlusSuite, execution: Execution, journal: Journal, programs: Mapping[str, tuple[str, str]]
) -> list[Agreement]:
    """Compare y' with y for each task; `programs` holds both.

    Raises:
        StageError: nothing can be run here.
    """
    keys = {
        task: digest("agreement", suite.digest, task, *pair, execution.memory_bytes) for task, pair in programs.items()
    }
    open_tasks = [task for task in programs if keys[task] not in journal]

    def work(sandbox: Sandbox) -> None:
        for start in range(0, len(open_tasks), AT_ONCE):
            some = [(task, *programs[task]) for task in open_tasks[start : start + AT_ONCE]]
            for row in judge_agreement(suite.problems, some, sandbox):
                if thread.stopped:
                    return
                journal.append(keys[row.task_id], asdict(row))

    thread = Stoppable(f"self-consistency {suite.name}", open_sandbox(execution), work)
    try:
        async with thread:
            await thread.finish()
    except (SandboxUnavailable, BenchmarkError) as error:
        raise StageError(f"{suite.name}: {error}") from error
    rows = [journal[key] for key in keys.values()]
    return [Agreement(**{name: value for name, value in row.items() if name != "key"}) for row in rows]

"""Rows that can be run, run: a repair must fail before and pass after, a translation must agree on inputs.

Enters: a row with code, and the snippet that it was made of. Leaves: whether it holds, does not, or cannot be run, with
the reason; it goes into the journal, so that no row is run twice and a slow machine changes nothing afterwards. Code
runs in the sandbox, on generated arguments. A repaired function must return what the snippet does, if it is in there,
and the broken one something else. Not guaranteed: anything for other arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Literal

from evaluation import BenchmarkError, Execution, SandboxUnavailable, open_sandbox
from evaluation.arguments import functions_of
from evaluation.behavior import BehaviorCheck
from evaluation.comparison_process import Comparer
from evaluation.execution import Sandbox
from evaluation.native.runner import open_runner
from evaluation.toolchains import missing
from evaluation.translation import TOOLCHAINS, TranslationCheck
from inverse_instruct.errors import StageError
from inverse_instruct.records import Draft, Snippet
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.tasks.form import take_apart

CALLS = 12  # of a function, with other arguments each
TASKS = ("repair", "translation")
"""Tasks whose rows say what another piece of code must do."""


@dataclass(frozen=True)
class Run:
    """What came of a row."""

    state: Literal["holds", "fails", "not_run"]
    detail: str


class Trial:
    """Runs rows; made by `open_trial`."""

    def __init__(
        self, room: Room, execution: Execution, sandbox: Sandbox, comparer: Comparer, stack: ExitStack
    ) -> None:
        """Take what runs Python; other languages are made ready when a row needs them, and closed by the stack."""
        self._room, self._execution, self._sandbox, self._stack = room, execution, sandbox, stack
        self._behavior = BehaviorCheck(sandbox, comparer, CALLS)
        self._translations: dict[str, TranslationCheck | str] = {}
        self._opening = Lock()

    async def __call__(self, draft: Draft, snippet: Snippet) -> Run | None:
        """Return what came of a row; None for a task that has nothing to be run.

        Raises:
            SandboxUnavailable: a sandbox could not be started again.
        """
        if draft.task not in TASKS:
            return None

        async def look() -> dict[str, str]:
            return asdict(await (self._repair if draft.task == "repair" else self._translation)(draft, snippet))

        found = await self._room.once(look, run=draft.id)
        return Run(found["state"], found["detail"])

    async def _repair(self, draft: Draft, snippet: Snippet) -> Run:
        if draft.language != "python":
            return Run("not_run", f"{draft.language} code is not run")
        before, after, right = _code(draft.input), _code(draft.response), snippet.code
        passes = await asyncio.wrap_future(self._behavior.start(right, after))
        if passes.state == "different":
            return Run("fails", f"after the repair, {passes.detail}")
        if passes.state == "not_checked":
            right = after  # it has a function that the snippet lacks
        elif not functions_of(right).keys() & functions_of(before).keys():
            return Run("fails", "before the repair it is no version of the code: it has none of its functions")
        fails = await asyncio.wrap_future(self._behavior.start(right, before))
        return {
            "different": Run("holds", f"before the repair, {fails.detail}"),
            "equal": Run("fails", f"before the repair it is right already, {fails.detail}"),
            "not_checked": Run("not_run", fails.detail),
        }[fails.state]

    async def _translation(self, draft: Draft, snippet: Snippet) -> Run:
        source, target = _code(draft.input), _code(draft.response)
        if "python" not in (snippet.language, draft.language):
            return Run("not_run", f"neither {snippet.language} nor {draft.language} is Python")
        other = draft.language if snippet.language == "python" else snippet.language
        python, counterpart = (source, target) if snippet.language == "python" else (target, source)
        check = await asyncio.to_thread(self._translation_check, other)
        if isinstance(check, str):
            return Run("not_run", check)
        found = await asyncio.wrap_future(check.start(python, counterpart))
        states: dict[str, Literal["holds", "fails"]] = {"equal": "holds", "different": "fails"}
        return Run(states.get(found.state, "not_run"), found.detail)

    def _translation_check(self, language: str) -> TranslationCheck | str:
        """Return what compares with a language, or why nothing does."""
        with self._opening:
            if language not in self._translations:
                self._translations[language] = self._open(language)
            return self._translations[language]

    def _open(self, language: str) -> TranslationCheck | str:
        if language not in TOOLCHAINS:
            return f"{language} code is not run"
        if problem := missing(language, ""):
            return problem
        try:
            runner = self._stack.enter_context(open_runner(TOOLCHAINS[language](), self._execution))
        except BenchmarkError as error:
            return str(error)
        return TranslationCheck(self._sandbox, runner, language, CALLS)


@contextmanager
def open_trial(room: Room) -> Iterator[Trial]:
    """Make ready what runs rows.

    Raises:
        StageError: programs cannot be isolated on this machine.
    """
    try:
        with (
            Comparer() as comparer,
            open_sandbox(room.execution) as sandbox,
            ExitStack() as stack,  # closed first: what a worker of the sandbox waits for ends
        ):
            yield Trial(room, room.execution, sandbox, comparer, stack)
    except SandboxUnavailable as error:
        raise StageError(f"{error}; or set generate.execute: false, and no row is run") from error


def what_runs_here() -> list[str]:
    """Return what of other languages can be run on this machine, as texts."""
    return [f"{language} {missing(language, '')}" for language in sorted(TOOLCHAINS)]


def _code(text: str) -> str:
    return take_apart(text).blocks[0].text

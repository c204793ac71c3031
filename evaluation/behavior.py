"""Whether two versions of a program return the same: those of its functions that both have, on generated arguments.

Enters: Python code before and after a change. Leaves: equal, different, or not checked. Compared are outermost
functions of the same name and parameters, on arguments with which the first version returns something, twice the same.
Not guaranteed: anything for other arguments, for what is printed or changed in place, and for classes and methods.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from evaluation.arguments import Signature, argument_lists, functions_of
from evaluation.comparison_process import Comparer, Expectation
from evaluation.execution import RunProgram, Sandbox
from evaluation.programs import Outcome, Program
from evaluation.values import is_comparable

MIN_CALLS = 3
"""Calls that must return something; fewer say too little."""
_TRIES = 4
"""Argument lists to draw for each call that is wanted; many functions refuse most of them."""
_SECONDS = 1.0
_SLOWER_SECONDS = 4.0
"""For the second version: what is asked for is the same result, not the same speed."""
_TOTAL_SECONDS = 20.0
_TOLERANCE = 1e-9
_NOTHING = b"null"


@dataclass(frozen=True, slots=True)
class Behavior:
    """What came of a comparison."""

    state: Literal["equal", "different", "not_checked"]
    detail: str


class BehaviorCheck:
    """Compares versions; use inside `with` of the sandbox."""

    def __init__(self, sandbox: Sandbox, comparer: Comparer, calls: int) -> None:
        """Take what runs and what compares, and how many calls of a function are wanted."""
        self._sandbox, self._comparer, self._calls = sandbox, comparer, calls

    def start(self, before: str, after: str) -> Future[Behavior]:
        """Run both versions once a worker is free; the result may raise `SandboxUnavailable`."""
        return self._sandbox.submit((before, after), self._compare)

    def _compare(self, versions: tuple[str, str], run: RunProgram) -> Behavior:
        before, after = versions
        own, other = functions_of(before), functions_of(after)
        shared = [own[name] for name in own if name in other and own[name].parameters == other[name].parameters]
        calls = 0
        for signature in shared:
            arguments, expected = self._usable(before, signature, run)
            if len(arguments) < MIN_CALLS or all(output == _NOTHING for output in expected):
                continue
            if problem := self._problem(after, signature, arguments, expected, run):
                return Behavior("different", f"{signature.name}: {problem}")
            calls += len(arguments)
        return Behavior("equal", f"on {calls} calls") if calls else Behavior("not_checked", "no function can be called")

    def _usable(self, code: str, signature: Signature, run: RunProgram) -> tuple[list[list[object]], list[bytes]]:
        """Return the arguments with which a function returns something that can be compared, and what it returns."""
        tried = argument_lists(signature, _TRIES * self._calls)
        outcomes = run(_program(code, signature, tried, _SECONDS), _whatever).outcomes
        good = [number for number, outcome in enumerate(outcomes) if _is_result(outcome)][: self._calls]
        arguments, expected = [tried[number] for number in good], [outcomes[number].encoded for number in good]
        if good and self._problem(code, signature, arguments, expected, run):
            return [], []  # it returns something else every time
        return arguments, expected

    def _problem(
        self,
        code: str,
        signature: Signature,
        arguments: list[list[object]],
        expected: list[bytes],
        run: RunProgram,
    ) -> str | None:
        """Return why a function does not return what is expected; None if it does."""
        expectation = Expectation(tuple(expected), arguments, _TOLERANCE, "")
        problems: list[str] = []

        def accept(number: int, outcome: Outcome) -> bool:
            if outcome.reason is not None:
                problems.append(outcome.detail or outcome.reason)
            elif difference := self._comparer.difference(expectation, number, outcome.encoded):
                problems.append(difference.detail)
            return not problems

        result = run(_program(code, signature, arguments, _SLOWER_SECONDS), accept)
        ends = (outcome.detail or outcome.reason for outcome in result.outcomes if outcome.reason)
        return next(iter(problems), None) or next(ends, None)


def _program(code: str, signature: Signature, arguments: Sequence[Sequence[object]], seconds: float) -> Program:
    return Program(code, signature.name, arguments, [seconds] * len(arguments), _TOTAL_SECONDS)


def _is_result(outcome: Outcome) -> bool:
    return outcome.reason is None and is_comparable(outcome.encoded)


def _whatever(number: int, outcome: Outcome) -> bool:
    return True  # some arguments are refused; those after them may be taken

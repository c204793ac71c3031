"""Whether two versions of a program return the same: those of its functions that both have, on generated arguments.

Enters: Python code before and after a change. Leaves: equal, different, or not checked. Compared are outermost
functions of the same name and parameters, on arguments with which the first version returns something, twice the same.
Not guaranteed: anything for other arguments, for what is printed or changed in place, and for classes and methods.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from evaluation.arguments import argument_lists, functions_of
from evaluation.comparison_process import Comparer, Expectation
from evaluation.execution import RunProgram, Sandbox
from evaluation.programs import Outcome, Program
from evaluation.values import is_comparable

MIN_CALLS = 3
"""Calls that must return something; fewer say too little."""
TRIES = 4
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
            tried = argument_lists(signature, TRIES * self._calls)
            found = usable_calls(before, signature.name, tried, self._calls, self._comparer, run)
            if len(found.arguments) < MIN_CALLS or all(output == _NOTHING for output in found.expected):
                continue
            if problem := difference(after, found, self._comparer, run):
                return Behavior("different", f"{signature.name}: {problem}")
            calls += len(found.arguments)
        return Behavior("equal", f"on {calls} calls") if calls else Behavior("not_checked", "no function can be called")


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a function, and what they return."""

    name: str
    arguments: list[list[object]]
    expected: list[bytes]
    """Encoded, as they came out of the sandbox."""


def usable_calls(
    code: str, name: str, tried: Sequence[list[object]], count: int, comparer: Comparer, run: RunProgram
) -> Calls:
    """Return the first so many calls with which a function returns something that can be compared, twice the same."""
    outcomes = run(_program(code, name, tried, _SECONDS), _whatever).outcomes if tried else ()
    good = [number for number, outcome in enumerate(outcomes) if _is_result(outcome)][:count]
    calls = Calls(name, [tried[number] for number in good], [outcomes[number].encoded for number in good])
    if good and difference(code, calls, comparer, run):
        return Calls(name, [], [])  # it returns something else every time
    return calls


def difference(code: str, calls: Calls, comparer: Comparer, run: RunProgram) -> str | None:
    """Return why a program's function does not return what is expected; None if it does."""
    expectation = Expectation(tuple(calls.expected), calls.arguments, _TOLERANCE, "")
    problems: list[str] = []

    def accept(number: int, outcome: Outcome) -> bool:
        if outcome.reason is not None:
            problems.append(outcome.detail or outcome.reason)
        elif found := comparer.difference(expectation, number, outcome.encoded):
            problems.append(found.detail)
        return not problems

    result = run(_program(code, calls.name, calls.arguments, _SLOWER_SECONDS), accept)
    ends = (outcome.detail or outcome.reason for outcome in result.outcomes if outcome.reason)
    return next(iter(problems), None) or next(ends, None)


def _program(code: str, name: str, arguments: Sequence[Sequence[object]], seconds: float) -> Program:
    return Program(code, name, arguments, [seconds] * len(arguments), _TOTAL_SECONDS)


def _is_result(outcome: Outcome) -> bool:
    return outcome.reason is None and is_comparable(outcome.encoded)


def _whatever(number: int, outcome: Outcome) -> bool:
    return True  # some arguments are refused; those after them may be taken

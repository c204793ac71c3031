"""Whether a program written from a description does what the code does that was described.

Enters: Python code with what shows its usage, and programs. Leaves: the function of the code that can be called, with
calls and what they return; and for each program the difference, if there is one. Inputs are those of doctests and of
shown calls first, then arguments guessed from the signature; a call counts if the code returns the same thing twice.
The function has another name in programs: its own would say what to write, whatever the description says.
Not guaranteed: anything for other arguments, for what is printed or changed in place, and for classes.
"""

import ast
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from evaluation.arguments import argument_lists, functions_of
from evaluation.behavior import MIN_CALLS, TRIES, Calls, difference, usable_calls
from evaluation.comparison_process import Comparer
from evaluation.execution import RunProgram, Sandbox
from evaluation.syntax import text_of, tree_or_nothing
from evaluation.usage import Shown, calls_shown
from evaluation.values import encode_output

NAME = "solution"
"""Of the function in programs."""
_MOST_FUNCTIONS = 5
"""Of a module, that are tried before it counts as one that cannot be called."""


@dataclass(frozen=True, slots=True)
class Described:
    """A function that can be called, and what it returns."""

    signature: str
    """Its first line, with the name that it has in programs."""
    calls: Calls
    """Of a program's function, and what the one described returns."""


@dataclass(frozen=True, slots=True)
class NotRun:
    """Why nothing can be told of code by running it."""

    detail: str
    is_wrong: bool = False
    """It does not do what its own doctests say."""
    function: str = ""
    """Name of one that other arguments might do for; "" for none."""


class RoundTrip:
    """Runs code and what was written from its description; use inside `with` of the sandbox."""

    def __init__(self, sandbox: Sandbox, comparer: Comparer, calls: int) -> None:
        """Take what runs and what compares, and how many calls are wanted."""
        self._sandbox, self._comparer, self._calls = sandbox, comparer, calls

    def look(self, code: str, usage: str) -> Future[Described | NotRun]:
        """Find the function that the code is about, once a worker is free; may raise `SandboxUnavailable`."""
        return self._sandbox.submit((code, usage), self._look)

    def difference(self, program: str, calls: Calls) -> Future[str | None]:
        """Return why a program does not do the same; None if it does. May raise `SandboxUnavailable`."""
        return self._sandbox.submit(calls, partial(self._difference, program))

    def _difference(self, program: str, calls: Calls, run: RunProgram) -> str | None:
        names = _main_first(program, list(functions_of(program)))
        name = NAME if NAME in names or not names else names[0]  # what it is called tells nothing
        return difference(program, replace(calls, name=name), self._comparer, run)

    def _look(self, code_and_usage: tuple[str, str], run: RunProgram) -> Described | NotRun:
        code, usage = code_and_usage
        functions = functions_of(code)
        shown = calls_shown(code, usage, functions)
        names = _main_first(code, list(functions))[:_MOST_FUNCTIONS]
        for name in names:
            said = shown.get(name, Shown())
            if said.results and (problem := self._breaks(code, name, said, run)):
                return NotRun(f"{name} is not what its own example says: {problem}", is_wrong=True)
            guessed = argument_lists(functions[name], TRIES * self._calls)
            tried = said.arguments[: self._calls] + guessed
            calls = usable_calls(code, name, tried, self._calls, self._comparer, run)
            signature = _signature(code, name)
            if signature and len(calls.arguments) >= MIN_CALLS and len(set(calls.expected)) > 1:
                return Described(signature, replace(calls, name=NAME))
        if not names:
            return NotRun(_NO_FUNCTION)
        return NotRun("no function returns different things for different arguments", function=names[0])

    def _breaks(self, code: str, name: str, said: Shown, run: RunProgram) -> str | None:
        count = min(len(said.results), self._calls)
        expected = [encode_output(result).encode() for result in said.results[:count]]
        return difference(code, Calls(name, said.arguments[:count], expected), self._comparer, run)


_NO_FUNCTION = "it has no function that can be called with plain arguments"


def _main_first(code: str, names: list[str]) -> list[str]:
    """Return the functions, those that no other calls first, and of these the last one first."""
    inner = set()
    for node in tree_or_nothing(code).body:
        if isinstance(node, ast.FunctionDef):
            inner |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - {node.name}
    return sorted(reversed(names), key=lambda name: name in inner)


def _signature(code: str, name: str) -> str:
    """Return the first line of a function under its other name; "" for one that is nested too deeply to be written."""
    functions = (node for node in tree_or_nothing(code).body if isinstance(node, ast.FunctionDef))
    [*_, node] = (function for function in functions if function.name == name)
    arguments, returns = text_of(node.args), f" -> {text_of(node.returns)}" if node.returns else ""
    return f"def {NAME}({arguments}){returns}:" if arguments and returns != " -> " else ""

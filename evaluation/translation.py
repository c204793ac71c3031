"""Whether code in another language returns what Python code returns, function by function, on the same arguments.

Enters: Python code, and its counterpart in JavaScript or PHP, whichever is the translation of the other. Leaves: equal,
different, or not checked. Compared are outermost functions of the same name (`snake_case` may be `camelCase` there), on
generated arguments with which the Python function returns something that JSON can say. Numbers are equal that differ by
rounding, as are the one language's nothings. The counterpart runs as every program in `native` does. Not guaranteed:
anything for other arguments, for what is printed, and for languages that need types.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from evaluation.arguments import Signature, argument_lists, functions_of
from evaluation.behavior import MIN_CALLS, Behavior
from evaluation.execution import RunProgram, Sandbox
from evaluation.native.interpreted import JavaScript, Php
from evaluation.native.runner import NativeRunner, TestedProgram
from evaluation.native.toolchain import Task, Toolchain
from evaluation.programs import Outcome, Program

TOOLCHAINS: dict[str, Callable[[], Toolchain]] = {"javascript": partial(JavaScript, silent=False), "php": Php}
"""Language -> how it is run."""

_TRIES = 4
"""Argument lists to draw for each call that is wanted."""
_SECONDS = 1.0
_TOTAL_SECONDS = 20.0
_LARGEST_WHOLE = 2**53
"""Beyond this, a JavaScript number is another one."""

_JAVASCRIPT = """
const same = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  if (a === null || a === undefined) return b === null;
  if (Array.isArray(b)) return Array.isArray(a) && a.length === b.length && b.every((item, i) => same(a[i], item));
  if (b !== null && typeof b === "object") {
    const of = a instanceof Map ? Object.fromEntries(a) : a;
    if (typeof of !== "object" || Array.isArray(of)) return false;
    const keys = Object.keys(b);
    return keys.length === Object.keys(of).length && keys.every((key) => key in of && same(of[key], b[key]));
  }
  return a === b;
};
const check = (call, found, wanted) => {
  if (same(found, wanted)) return;
  throw new Error(call + " returns " + JSON.stringify(found) + ", not " + JSON.stringify(wanted));
};
"""
_PHP = """
function same($a, $b) {
  if ((is_int($a) || is_float($a)) && (is_int($b) || is_float($b))) return abs($a - $b) <= 1e-9 * max(1, abs($b));
  if (!is_array($a) || !is_array($b)) return $a === $b;
  if (count($a) !== count($b)) return false;
  foreach ($b as $key => $item) if (!array_key_exists($key, $a) || !same($a[$key], $item)) return false;
  return true;
}
function check($call, $found, $wanted) {
  if (same($found, $wanted)) return;
  throw new Exception($call . " returns " . json_encode($found) . ", not " . json_encode($wanted));
}
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a Python function, and what it returned."""

    arguments: list[object]
    result: object


class TranslationCheck:
    """Compares Python code with its counterpart; use inside `with` of the sandbox and of the runner."""

    def __init__(self, sandbox: Sandbox, runner: NativeRunner, language: str, calls: int) -> None:
        """Take what runs Python, what runs the other language, and how many calls of a function are wanted."""
        self._sandbox, self._runner, self._language, self._calls = sandbox, runner, language, calls

    def start(self, python: str, other: str) -> Future[Behavior]:
        """Run both once a worker is free; the result may raise `SandboxUnavailable`."""
        return self._sandbox.submit((python, other), self._compare)

    def _compare(self, versions: tuple[str, str], run: RunProgram) -> Behavior:
        python, other = versions
        checked = 0
        for name, signature in functions_of(python).items():
            there = next((each for each in (name, _camel(name)) if _defines(other, each)), None)
            calls = self._python_calls(python, signature, run) if there else []
            if there is None or len(calls) < MIN_CALLS or all(call.result is None for call in calls):
                continue
            tested = TestedProgram(other, _task(self._language, there, signature, calls), _TOTAL_SECONDS)
            [(_, result)] = self._runner.run([None], lambda _, tested=tested: tested)  # type: ignore[misc]
            if result.reason:
                return Behavior("different", f"{there}: {result.detail or result.reason}")
            checked += len(calls)
        return (
            Behavior("equal", f"on {checked} calls")
            if checked
            else Behavior("not_checked", "no function can be called")
        )

    def _python_calls(self, code: str, signature: Signature, run: RunProgram) -> list[Call]:
        """Return calls whose arguments and results JSON can say, twice the same."""
        guessed = argument_lists(signature, 2 * _TRIES * self._calls)[::2]  # languages differ in what else they take
        tried = [given for given in guessed if _can_be_said(given)]
        if not tried:
            return []
        program = Program(code, signature.name, tried, [_SECONDS] * len(tried), _TOTAL_SECONDS)
        first, second = run(program, _whatever).outcomes, run(program, _whatever).outcomes
        good = []
        for given, one, other in zip(tried, first, second, strict=True):
            if one.reason is None and one.encoded == other.encoded:
                value = one.value
                if _can_be_said(value):
                    good.append(Call(given, value))
        return good[: self._calls]


def _can_be_said(value: object) -> bool:
    """Tell whether JSON says a value without a change."""
    if isinstance(value, list | tuple):
        return all(map(_can_be_said, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_can_be_said, value.values()))
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    if isinstance(value, int):
        return abs(value) < _LARGEST_WHOLE
    return value is None or (type(value) is float and math.isfinite(value))


def _task(language: str, name: str, signature: Signature, calls: Sequence[Call]) -> Task:
    """Return the tests of a function."""
    write: Callable[[object], str] = _php if language == "php" else json.dumps
    if language == "php":
        head = f"<?php\nfunction {name}({', '.join(f'${parameter}' for parameter in signature.parameters)}) {{"
    else:
        head = f"const {name} = ({', '.join(signature.parameters)}) => {{"
    checks = []
    for call in calls:
        shown = f"{name}({', '.join(map(json.dumps, call.arguments))})"
        found = f"{name}({', '.join(map(write, call.arguments))})"
        checks.append(f"check({write(shown)}, {found}, {write(call.result)});")
    return Task(head, "\n".join([_PHP if language == "php" else _JAVASCRIPT, *checks]))


def _php(value: object) -> str:
    text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"json_decode('{text}', true)"


def _whatever(number: int, outcome: Outcome) -> bool:
    return True  # some arguments are refused; those after them may be taken


def _defines(code: str, name: str) -> bool:
    return bool(re.search(rf"\b(?:function\s+|(?:const|let|var)\s+){re.escape(name)}\b", code))


def _camel(name: str) -> str:
    return re.sub(r"(?<=[^_])_+(\w)", lambda match: match[1].upper(), name)

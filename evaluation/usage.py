"""Calls of a module's functions, as texts show them: doctests, the module's own top level, usage beside it.

Enters: Python code, and text beside it. Leaves: for each outermost function the argument lists of its calls whose
arguments are literals, and for doctests what the call is said to return. Nothing is executed. Not guaranteed: that the
function takes the arguments.
"""

import ast
import doctest
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.arguments import Signature
from evaluation.fences import find_blocks
from evaluation.syntax import NO_PROGRAM, tree_or_nothing

NOT_LITERAL = (*NO_PROGRAM, TypeError)
_MOST_CHARACTERS = 100_000
_MOST_CALLS = 200
"""Of one text; more say no more."""


@dataclass(slots=True)
class Shown:
    """What texts show of one function."""

    arguments: list[list[object]] = field(default_factory=list)
    """Argument lists, each once, those with a result first."""
    results: list[object] = field(default_factory=list)
    """What the first so many of them are said to return."""


def calls_shown(code: str, usage: str, functions: Mapping[str, Signature]) -> dict[str, Shown]:
    """Return what is shown of each of the functions.

    Args:
        code: of the module; its docstrings and its top level are looked at.
        usage: text beside it: doctests, code, or Markdown with blocks of code.
        functions: of the module, by name.
    """
    said: dict[str, list[tuple[list[object], object]]] = {}
    seen: dict[str, list[list[object]]] = {}
    code, usage = code[:_MOST_CHARACTERS], usage[:_MOST_CHARACTERS]
    texts = [*_docstrings(code), usage, *(block.text for block in find_blocks(usage))]
    for call, result in (each for text in texts for each in _examples(text)):
        if found := _literal(call, functions):
            said.setdefault(found[0], []).append((found[1], result))
    for call in (call for text in (code, *texts) for call in _calls(text)):
        if found := _literal(call, functions):
            seen.setdefault(found[0], []).append(found[1])
    return {name: _shown(said.get(name, []), seen.get(name, [])) for name in {**said, **seen}}


def _shown(said: Sequence[tuple[list[object], object]], seen: Sequence[list[object]]) -> Shown:
    shown, known = Shown(), set()
    for arguments, result in said:
        if repr(arguments) not in known:
            known.add(repr(arguments))
            shown.arguments.append(arguments)
            shown.results.append(result)
    for arguments in seen:
        if repr(arguments) not in known:
            known.add(repr(arguments))
            shown.arguments.append(arguments)
    return shown


def _docstrings(code: str) -> list[str]:
    return [
        text
        for node in ast.walk(tree_or_nothing(code))
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node))
    ]


def _examples(text: str) -> Iterator[tuple[ast.Call, object]]:
    """Yield the calls of a text's doctests that are said to return a literal, with that."""
    for example in _doctests(text)[:_MOST_CALLS]:
        call, want = _expression(example.source), _expression(example.want.strip())
        if isinstance(call, ast.Call) and want is not None:
            try:
                yield call, ast.literal_eval(want)
            except NOT_LITERAL:
                continue


def _expression(text: str) -> ast.expr | None:
    """Return the one expression that a text is."""
    body = tree_or_nothing(text).body
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def _calls(text: str) -> Iterator[ast.Call]:
    """Yield the calls in a program's top level, and in its doctests whatever they return."""
    program = tree_or_nothing(text).body
    body = [node for node in program if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    body = body or [node for example in _doctests(text) for node in tree_or_nothing(example.source).body]
    calls = (inner for node in body for inner in ast.walk(node) if isinstance(inner, ast.Call))
    for _, call in zip(range(_MOST_CALLS), calls, strict=False):
        yield call


def _doctests(text: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(inspect.cleandoc(text)) if ">>>" in text else []
    except ValueError:  # it only looks like doctests
        return []


def _literal(call: ast.Call, functions: Mapping[str, Signature]) -> tuple[str, list[object]] | None:
    """Return the name and the arguments of a call of one of the functions, if all of these are literals."""
    signature = functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
    if signature is None or len(call.args) > len(signature.parameters):
        return None
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    rest = signature.parameters[len(call.args) : len(call.args) + len(named)]
    if set(rest) != set(named):  # what stands after a gap cannot be given by place
        return None
    try:
        return signature.name, [ast.literal_eval(node) for node in (*call.args, *(named[name] for name in rest))]
    except NOT_LITERAL:
        return None

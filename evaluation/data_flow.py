"""What a statement at the top level of a Python program binds, uses and changes.

Enters: one parsed statement and its source. Leaves: a `Statement`. Scopes are those of Python's own symbol tables; what
an object is, and so what a call does to it, is guessed from its form: a method may change its object, a function its
arguments, a built-in function neither.
Not guaranteed: changes by way of other objects, or of names made up at run time.
"""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import UnionType
from typing import Literal

from evaluation.changes import called_name, read_changes

Kind = Literal["definition", "assignment", "import", "deletion", "guard", "remark", "other"]

LOOKUPS = frozenset(("__name__", "eval", "exec", "globals", "locals", "vars"))
"""Names by which a program may come to names that it does not spell out."""
_SCOPES_RUN_AT_ONCE = frozenset(("listcomp", "setcomp", "dictcomp", "genexpr"))
_SHOWS_OR_ENDS = frozenset(
    ("print", "display", "pprint", "show", "help", "exit", "quit", "_exit", "abort", "main", "testmod")
)
_STREAMS = frozenset(("argv", "stdin", "stdout", "stderr"))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; all names are those of the module."""

    text: str
    kind: Kind
    binds: frozenset[str]
    """Names that it binds when it is run."""
    runs: frozenset[str]
    """Names that it reads when it is run."""
    uses: frozenset[str]
    """The same, and those that its functions read when they are called."""
    mentions: frozenset[str]
    """Of `runs`, those read for more than to change an attribute of theirs or to call a method of theirs."""
    stores: frozenset[str]
    """Names of objects that an assignment in it changes, as in ``table[0] = 1`` or ``f.calls = 0``."""
    touches: frozenset[str]
    """Names of objects that a call in it may change, as in ``table.append(1)`` or ``fill(table)``."""
    calls: frozenset[str]
    """Names of functions that it calls without using what they return."""
    later: frozenset[str]
    """Names that its functions bind, or whose objects they may change, when they are called."""
    copies: frozenset[str]
    """Names of objects that it gives another name, as in ``row = table[0]`` or ``for row in table: ...``."""
    results: frozenset[str]
    """Names of functions to whose results it gives names."""
    gives: frozenset[str]
    """Names of objects that its functions return."""
    modules: frozenset[str]
    """Packages that it imports, at once or later."""
    hollow: bool
    """A function whose body only documents or postpones it, or a name for what is written out and no function."""
    is_future: bool
    """It imports from `__future__`."""
    is_star: bool
    """It imports names that it does not spell out."""
    sets: bool
    """It calls what is named like a setting, as in ``sys.setrecursionlimit(10**6)``."""
    is_aside: bool
    """It only shows, asks, checks or ends."""
    body: tuple["Statement", ...] = ()
    """Of a `guard`, as `if __name__ == "__main__"` is called here: what stands under it."""


def read_statement(node: ast.stmt, text: str) -> Statement | None:
    """Return what a statement with this source does, or None where no program can hold it."""
    try:
        scopes = _read_scopes(symtable.symtable(text, "<statement>", "exec"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    changes = read_changes(node)
    scopes.binds |= changes.binds
    if isinstance(node, ast.AnnAssign) and node.value is None:
        scopes.binds.clear()
    runs = scopes.runs | changes.augmented
    here, uses = scopes.binds | runs, scopes.uses | scopes.later_binds | runs
    touches = changes.touches
    if not changes.stores | touches <= here:  # what a name of a comprehension stands for is not looked into
        touches |= runs
    return Statement(
        text=text,
        kind=_kind(node),
        binds=frozenset(scopes.binds),
        runs=frozenset(runs),
        uses=frozenset(uses),
        mentions=frozenset(changes.mentions & here),
        stores=frozenset(changes.stores & here),
        touches=frozenset(touches & here),
        calls=frozenset(changes.calls & here),
        later=frozenset(scopes.later_binds | (changes.later & uses)),
        copies=frozenset(changes.copies & here),
        results=frozenset(changes.results & here),
        gives=frozenset(changes.gives & uses),
        modules=frozenset(_modules(node)),
        hollow=_is_hollow(node),
        is_future=isinstance(node, ast.ImportFrom) and node.module == "__future__",
        is_star=isinstance(node, ast.ImportFrom) and node.names[0].name == "*",
        sets=changes.sets,
        is_aside=_is_aside(node),
    )


@dataclass(slots=True)
class _Scopes:
    binds: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    later_binds: set[str] = field(default_factory=set)


def _read_scopes(top: symtable.SymbolTable) -> _Scopes:
    found = _Scopes()
    waiting = [(top, False)]
    while waiting:
        table, later = waiting.pop()
        later = later or (table.get_type() == "function" and table.get_name() not in _SCOPES_RUN_AT_ONCE)
        for symbol in table.get_symbols():
            if table is top or symbol.is_global():
                if symbol.is_assigned() or symbol.is_imported():
                    (found.later_binds if later else found.binds).add(symbol.get_name())
                if symbol.is_referenced():
                    (found.uses if later else found.runs).add(symbol.get_name())
            elif table.get_type() == "class" and symbol.is_referenced():
                found.uses.add(symbol.get_name())  # not of the class before it is bound there
        waiting += [(child, later) for child in table.get_children()]
    return found


def _kind(node: ast.stmt) -> Kind:
    kinds: list[tuple[Kind, type | UnionType]] = [
        ("definition", ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef),
        ("assignment", ast.Assign | ast.AnnAssign | ast.AugAssign),
        ("import", ast.Import | ast.ImportFrom),
        ("deletion", ast.Delete),
    ]
    if isinstance(node, ast.If) and _is_main_test(node.test):
        return "guard"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return "remark"
    return next((kind for kind, types in kinds if isinstance(node, types)), "other")


def _is_main_test(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = (test.left, test.comparators[0])
    named = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return named and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def _is_aside(node: ast.stmt) -> bool:
    """Tell whether a statement only shows, asks, checks or ends, so that what it calls is no part of a solution."""
    reads = (isinstance(each, ast.Name) and each.id == "input" for each in ast.walk(node))
    streams = (isinstance(each, ast.Attribute) and each.attr in _STREAMS for each in ast.walk(node))
    if isinstance(node, ast.Assert | ast.Pass) or any(reads) or any(streams):
        return True
    if isinstance(node, ast.Expr):
        shows = isinstance(node.value, ast.Call) and called_name(node.value) in _SHOWS_OR_ENDS
        return shows or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.For | ast.While | ast.If | ast.With):
        inner = [*node.body, *getattr(node, "orelse", ())]
        return all(map(_is_aside, inner)) and not all(isinstance(each, ast.Pass) for each in inner)
    return False


def _modules(node: ast.stmt) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in each.names)
        elif isinstance(each, ast.ImportFrom) and each.module and not each.level:
            yield each.module.partition(".")[0]


def _is_hollow(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return isinstance(node.value, ast.Constant | ast.List | ast.Dict | ast.Set | ast.JoinedStr | None)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and all(map(_does_nothing, node.body))


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))

"""What a statement at the top level of a Python program binds, uses and changes.

Enters: one parsed statement and its source. Leaves: a `Statement`. Scopes are those of Python's own symbol tables; what
an object is, and so what a call does to it, is guessed from its form: a method may change its object, a function its
arguments, a built-in function neither.
Not guaranteed: changes by way of other objects, or of names made up at run time.
"""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from types import UnionType
from typing import Literal

Kind = Literal["definition", "assignment", "import", "deletion", "guard", "remark", "other"]

LOOKUPS = frozenset(("__name__", "eval", "exec", "globals", "locals", "vars"))
"""Names by which a program may come to names that it does not spell out."""
_SCOPES_RUN_AT_ONCE = frozenset(("listcomp", "setcomp", "dictcomp", "genexpr"))
_SET_ATTRIBUTES = frozenset(("setattr", "delattr", "update_wrapper"))
_UNCHANGING = frozenset(dir(builtins)) - {"next", "exec", "eval"}
_SETTING = re.compile(r"set(?!attr\b|default\b)\w+|stack_size")
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
    changes = _read_changes(node)
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


@dataclass(slots=True)
class _Changes:
    stores: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    augmented: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    sets: bool = False


def _read_changes(statement: ast.stmt) -> _Changes:
    """Read off the forms in a statement which objects may change when it is run, and later when its functions are."""
    found = _Changes()
    spoken_to: set[ast.Name] = set()
    for node, later in _walk(statement):
        stored, touched, receivers = _changed(node)
        names = {name.id for name in chain(stored, touched, receivers)}
        spoken_to.update(stored, receivers)
        if later:
            found.later |= names
            continue
        found.stores |= {name.id for name in stored}
        found.touches |= names
        found.copies |= {name.id for value in _copied(node) for name in _base(value)}
        if isinstance(node, ast.Call):
            found.sets |= bool(_SETTING.fullmatch(_called_name(node)))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
            found.calls.add(node.value.func.id)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.augmented.add(node.target.id)
            found.stores.add(node.target.id)  # a list is changed in place
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in spoken_to:
            found.mentions.add(node.id)
    return found


def _walk(statement: ast.stmt) -> Iterator[tuple[ast.AST, bool]]:
    """Yield all nodes, outer ones first, and whether they are run only when a function is called."""
    waiting: list[tuple[ast.AST, bool]] = [(statement, False)]
    while waiting:
        node, later = waiting.pop()
        yield node, later
        if isinstance(node, ast.Lambda):
            waiting += [(node.args, later), (node.body, True)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = set(node.body)
            waiting += [(child, later or child in body) for child in ast.iter_child_nodes(node)]
        else:
            waiting += [(child, later) for child in ast.iter_child_nodes(node)]


def _changed(node: ast.AST) -> tuple[list[ast.Name], list[ast.Name], list[ast.Name]]:
    """Return the names of objects that one node assigns to a part of, gives to a function, or calls a method of."""
    stored: list[ast.expr] = []
    touched: list[ast.expr] = []
    receivers: list[ast.expr] = []
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        stored.append(node.value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        receivers += [decorator.value for decorator in node.decorator_list if isinstance(decorator, ast.Attribute)]
    elif isinstance(node, ast.Call):
        name, given = _called_name(node), [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute):
            receivers.append(node.func.value)
        if name in _SET_ATTRIBUTES:
            stored += given[:1]
        elif isinstance(node.func, ast.Name) and name in _UNCHANGING:
            receivers += [each.value for each in given if isinstance(each, ast.Attribute)]  # as in map(table.append, x)
        else:
            touched += given
    return _names(stored), _names(touched), _names(receivers)


def _names(values: list[ast.expr]) -> list[ast.Name]:
    return [name for value in values for name in _base(value)]


def _base(value: ast.expr) -> list[ast.Name]:
    """Return the name of the object that an attribute, an item or the result of a method belongs to, if it has one."""
    while isinstance(value, ast.Attribute | ast.Subscript | ast.Starred | ast.Call):
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _UNCHANGING:
            return [name for argument in value.args for name in _base(argument)]
        value = value.func if isinstance(value, ast.Call) else value.value
    return [node for node in ast.walk(value) if isinstance(node, ast.Name)]


def _copied(node: ast.AST) -> list[ast.expr]:
    """Return the values to which a node gives another name; what a program's own function returns is a new one."""
    values: list[ast.expr | None] = []
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        values.append(node.value)
    elif isinstance(node, ast.For | ast.AsyncFor):
        values.append(node.iter)
    elif isinstance(node, ast.With | ast.AsyncWith):
        values += [item.context_expr for item in node.items]
    return [value for value in values if value and not _is_own_call(value)]


def _is_own_call(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id not in _UNCHANGING


def _called_name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


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
        shows = isinstance(node.value, ast.Call) and _called_name(node.value) in _SHOWS_OR_ENDS
        return shows or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.For | ast.While | ast.If | ast.With):
        return all(_is_aside(each) for each in [*node.body, *getattr(node, "orelse", ())])
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

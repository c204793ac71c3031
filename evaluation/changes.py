"""Which objects a statement of Python may change, read off its form.

Enters: one parsed statement. Leaves: names, those of functions and comprehensions among them. A method may change its
object and a function its arguments; a built-in function changes nothing.
Not guaranteed: changes by way of other objects.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeGuard

_SET_ATTRIBUTES = frozenset(("setattr", "delattr", "update_wrapper"))
_UNCHANGING = frozenset(dir(builtins)) - {"next", "exec", "eval"}
_SETTING = re.compile(r"set(?!attr\b|default\b)\w+|stack_size")


@dataclass(slots=True)
class Changes:
    """Names in one statement."""

    stores: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    augmented: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    gives: set[str] = field(default_factory=set)
    sets: bool = False


def read_changes(statement: ast.stmt) -> Changes:
    """Read off the forms in a statement which objects may change when it is run, and later when its functions are."""
    found = Changes()
    spoken_to: set[ast.Name] = set()
    for node, later in _walk(statement):
        stored, touched, receivers = _changed(node)
        names = {name.id for name in chain(stored, touched, receivers)}
        spoken_to.update(stored, receivers)
        if later:
            found.later |= names
            if isinstance(node, ast.Return | ast.Yield) and node.value:
                found.gives |= {name.id for name in _base(node.value)}
            continue
        found.stores |= {name.id for name in stored}
        found.touches |= names
        for value in _copied(node):
            held = [*value.args, *(each.value for each in value.keywords)] if _is_own_call(value) else [value]
            found.copies |= {name.id for name in _names(held)}
            found.results |= {called_name(value)} if _is_own_call(value) else set()
        if isinstance(node, ast.Call):
            found.sets |= bool(_SETTING.fullmatch(called_name(node)))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
            found.calls.add(node.value.func.id)
        if isinstance(node, ast.NamedExpr):
            found.binds.add(node.target.id)  # the symbol tables of 3.12 do not tell this of a comprehension
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
        touched += getattr(node, "bases", [])  # a class knows its subclasses
    elif isinstance(node, ast.Call):
        name, given = called_name(node), [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute):
            receivers.append(node.func.value)
        if name in _SET_ATTRIBUTES:
            stored += given[:1]
        elif isinstance(node.func, ast.Name) and name in _UNCHANGING:
            receivers += [each.value for each in given if isinstance(each, ast.Attribute)]  # as in map(table.append, x)
        else:
            touched += given
    elif isinstance(node, ast.With | ast.AsyncWith):
        touched += [item.context_expr for item in node.items]
    elif isinstance(node, ast.For | ast.AsyncFor):
        touched.append(node.iter)  # which may be used up
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp | ast.Subscript):
        touched += [each for each in ast.walk(node.value) if isinstance(each, ast.Name)]  # as in numbers << 1
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
    """Return the values to which a node gives another name."""
    values: list[ast.expr | None] = []
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        values.append(node.value)
    elif isinstance(node, ast.For | ast.AsyncFor):
        values.append(node.iter)
    elif isinstance(node, ast.With | ast.AsyncWith):
        values += [item.context_expr for item in node.items]
    return [value for value in values if value]


def _is_own_call(value: ast.expr) -> TypeGuard[ast.Call]:
    """Tell whether a value is what a program's own function returns: a new one, but it may hold what that was given."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id not in _UNCHANGING


def called_name(call: ast.Call) -> str:
    """Return the last part of the name of what is called, or nothing."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))

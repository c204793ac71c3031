"""How different a model's solutions are: pass@1 can rise while a model collapses to few ways of saying things.

Enters: solutions. Leaves: counts of distinct ones, equal up to names of variables, comments, docstrings and layout.
Not guaranteed: that solutions of different shape do different things. Only Python is normalized by its syntax tree;
text that does not parse, and other languages, are compared without their white space.
"""

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from evaluation.suite import Sample
from evaluation.syntax import NO_PROGRAM, read_tree

_KEPT_NAMES = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Diversity:
    """Distinct solutions among samples."""

    samples: int
    distinct: int
    """Over all tasks together."""
    within_task: float | None
    """Mean share of distinct ones among the samples of a task; None: there is one sample a task."""


def diversity(samples: Iterable[Sample]) -> Diversity:
    """Count distinct solutions."""
    shapes: dict[str, list[str]] = {}
    for sample in samples:
        shapes.setdefault(sample.task_id, []).append(normalized(sample.solution))
    everything = [shape for group in shapes.values() for shape in group]
    several = [len(set(group)) / len(group) for group in shapes.values() if len(group) > 1]
    return Diversity(len(everything), len(set(everything)), fmean(several) if several else None)


def normalized(solution: str) -> str:
    """Return a text that is equal for solutions that differ in names, comments, docstrings and layout alone."""
    try:
        return ast.dump(_Renamed().visit(read_tree(solution)))
    except NO_PROGRAM:
        return "".join(solution.split())


class _Renamed(ast.NodeTransformer):
    """Gives names numbers in order of appearance, built-in names and attributes excepted, and drops docstrings."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def _number(self, name: str) -> str:
        return name if name in _KEPT_NAMES else self._names.setdefault(name, f"v{len(self._names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._number(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._number(node.arg))

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return ast.keyword(self._number(node.arg) if node.arg else None, self.visit(node.value))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._number(node.name)
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.visit(ast.Assign([node.target], node.value))  # type: ignore[no-any-return]

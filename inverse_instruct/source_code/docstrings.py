"""Python code apart from its docstrings.

Enters: code. Leaves: it without the docstrings that stand on lines of their own, and these. A docstring says what the
code does, so a model that is to describe code would copy it; its doctests show how the code is used. Not guaranteed:
that nothing else in the code says what it does.
"""

from __future__ import annotations

import ast
import inspect

from evaluation.syntax import tree_or_nothing


def without_docstrings(code: str) -> tuple[str, str]:
    """Return code without docstrings, and these, one behind the other; what is not Python stays as it is."""
    lines = code.split("\n")
    found = []
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    nodes = [node for node in ast.walk(tree_or_nothing(code)) if isinstance(node, kinds)]
    for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):  # what is above keeps its lines
        first = node.body[0]
        if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
            continue
        if not isinstance(first.value.value, str):
            continue
        above, below = first.lineno - 1, first.end_lineno or first.lineno
        before = lines[above].encode()[: first.col_offset].decode()
        after = lines[below - 1].encode()[first.end_col_offset :].decode()
        if before.strip() or after.strip():
            continue
        found.append(inspect.cleandoc(first.value.value))
        lines[above:below] = [f"{before}pass"] if len(node.body) == 1 else []
    return "\n".join(lines), "\n\n".join(reversed(found))

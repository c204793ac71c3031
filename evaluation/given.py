"""What a reference solution gives its tests: the modules it imports, and which of its names are classes.

Enters: source text of a reference, which is trusted, and of its tests. Leaves: names and import statements.
Not guaranteed: names that are bound within `if`, `try` or a loop.
"""

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from evaluation.syntax import NO_PROGRAM, read_tree


@dataclass(frozen=True, slots=True)
class Given:
    """The top level of a reference."""

    imports: tuple[str, ...] = ()
    """Statements that bind a name which the tests use, or all names of a module."""
    classes: frozenset[str] = frozenset()
    """Names of classes."""
    names: frozenset[str] = frozenset()
    """All names that it defines or assigns."""


@lru_cache(maxsize=2048)
def given_by(reference: str, tests: str) -> Given:
    """Return what the reference gives the tests, nothing where it is no Python."""
    try:
        body = read_tree(reference).body
    except NO_PROGRAM:
        return Given()
    used = set(re.findall(r"\w+", tests))
    imports, classes, names = [], set(), set()
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if bound & (used | {"*"}) and getattr(node, "module", "") != "__future__":
                imports.append(ast.unparse(node))
        elif isinstance(node, ast.ClassDef):
            classes.add(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        else:
            found = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            names |= {part.id for part in found if isinstance(part.ctx, ast.Store)}
    return Given(tuple(imports), frozenset(classes), frozenset(names | classes))

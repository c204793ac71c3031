"""What an entry point can reach in a program, by data flow and not by the form in which it is written.

Enters: the parts of a program (see `definitions`) and the name of its entry point. Leaves: the parts that are needed,
in their order: what the entry point names, what that names, and so on; what changes something of these before anything
is called, such as loops that fill a table, prototypes, `init` functions and constructors of global objects; imports and
macros. What calls the entry point without being needed by it, tests and examples, is left out, and what only prints.
Not guaranteed: that nothing is kept in vain.
"""

from collections.abc import Sequence

from evaluation.native.definitions import ALWAYS_KEPT, FUNCTIONS, TYPES, VALUES, Definition
from evaluation.native.names import words_of

_MADE_EARLY = {"declaration", "var_declaration"}
"""Variables of C++ and Go, whose making may run code; other languages have none, or have statements for that."""


def find_needed(found: Sequence[Definition], given: Sequence[Definition], entry_point: str) -> list[Definition]:
    """Return what stays of a reply's parts beside those that are given."""
    items = [item for item in without_repeats(found) if not is_example(item, entry_point) and "main" not in item.names]
    words = {entry_point}.union(*(words_of(item.text) for item in given))
    needed = _close([item for item in items if not item.is_statement], words)
    tests = {name for item in items if item not in needed and item.mentions({entry_point}) for name in item.names}
    return _close([item for item in items if not (item.is_statement and item.mentions(tests))], words)


def is_example(item: Definition, entry_point: str) -> bool:
    """Tell what is computed by calling the entry point from what the entry point may need."""
    if item.kind in ALWAYS_KEPT or not item.mentions({entry_point}):
        return False
    if item.is_statement:
        return entry_point in item.calls or entry_point not in item.assigns
    return item.starts or (item.kind in VALUES and not item.has_body)


def without_repeats(items: Sequence[Definition]) -> list[Definition]:
    """Return the first of the definitions that have kind, names and parameters in common."""
    unique: dict[tuple[object, ...], Definition] = {}
    for item in items:
        is_named = item.names and (item.kind in FUNCTIONS or item.kind in VALUES)
        unique.setdefault((item.kind, item.names, item.parameters) if is_named else (item.text,), item)
    return list(unique.values())


def _close(items: Sequence[Definition], words: set[str]) -> list[Definition]:
    """Return all that is reached from some names."""
    kept: set[int] = set()
    reached = set(words)
    while True:
        touched = _touched([items[number] for number in kept], items)
        fresh = {
            number
            for number, item in enumerate(items)
            if number not in kept and _is_reached(item, reached, touched, items)
        }
        if not fresh:
            return [item for number, item in enumerate(items) if number in kept]
        kept |= fresh
        reached.update(*(words_of(items[number].text) for number in fresh))


def _is_reached(item: Definition, reached: set[str], touched: set[str], items: Sequence[Definition]) -> bool:
    if item.kind in ALWAYS_KEPT or item.starts or item.names & reached:
        return True
    if item.is_statement:
        return bool(_effects(item, items) & reached)
    return item.kind in _MADE_EARLY and item.mentions(touched)


def _effects(item: Definition, items: Sequence[Definition]) -> set[str]:
    """Return the names of what a statement may change, also by the functions that it calls."""
    effects, called, waiting = set(item.changes), set(item.calls), set(item.calls)
    while waiting:
        functions = [other for other in items if other.kind in FUNCTIONS and other.names & waiting]
        effects.update(*(function.changes for function in functions))
        waiting = set().union(*(function.calls for function in functions)) - called
        called |= waiting
    return effects


def _touched(kept: Sequence[Definition], items: Sequence[Definition]) -> set[str]:
    """Return the variables that are kept, and the types whose code mentions them."""
    touched = {name for item in kept if item.kind in _MADE_EARLY and not item.has_body for name in item.names}
    return touched | {name for item in items if item.kind in TYPES and item.mentions(touched) for name in item.names}

"""What an entry point can reach in a program, by data flow and not by the form in which it is written.

Enters: the parts of a program (see `definitions`) and the name of its entry point. Leaves: the parts that are needed,
in their order: what the entry point names, what that names, and so on; what changes something of these before anything
is called, such as loops that fill a table, prototypes, `init` functions and constructors of global objects; imports and
macros. What calls the entry point without being needed by it, tests and examples, is left out, and what only prints.
Not guaranteed: that nothing is kept in vain.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from evaluation.native.definitions import ALWAYS_KEPT, FUNCTIONS, TYPES, VALUES, Definition
from evaluation.native.names import words_of

_MADE_EARLY = {"declaration", "var_declaration"}
"""Variables of C++ and Go, whose making may run code; other languages have none, or have statements for that."""


def find_needed(found: Sequence[Definition], given: Sequence[Definition], entry_point: str) -> list[Definition]:
    """Return what stays of a reply's parts beside those that are given."""
    items = [item for item in without_repeats(found) if not is_example(item, entry_point) and "main" not in item.names]
    words = {entry_point}.union(*(words_of(item.text) for item in given))
    needed = {id(item) for item in _close([item for item in items if not item.is_statement], words, entry_point)}
    others = [item for item in items if id(item) not in needed and not item.is_statement]
    tests = {name for item in others if item.mentions({entry_point}) for name in item.names}
    return _close([item for item in items if not (item.is_statement and item.mentions(tests))], words, entry_point)


def is_example(item: Definition, entry_point: str) -> bool:
    """Tell what is computed by calling the entry point from what the entry point may need."""
    if item.kind in ALWAYS_KEPT or not item.mentions({entry_point}):
        return False
    if item.is_statement:
        return entry_point in item.calls or not item.assigns
    return item.starts or (item.kind in VALUES and not item.has_body and entry_point in item.calls)


def leaves_out(items: Sequence[Definition], chosen: Sequence[Definition], entry_point: str) -> bool:
    """Tell whether a choice lacks what might matter, as a plain function or an example that nothing names cannot."""
    kept = {"".join(item.text.split()) for item in chosen}
    named = set().union(*(words_of(item.text) for item in chosen)) - {"main"}
    left_out = [item for item in items if item.kind not in ALWAYS_KEPT and "".join(item.text.split()) not in kept]
    return any((item.names | item.assigns) & named or not _is_aside(item, entry_point) for item in left_out)


def _is_aside(item: Definition, entry_point: str) -> bool:
    return is_example(item, entry_point) or (item.kind in FUNCTIONS and bool(item.names) and not item.starts)


def without_repeats(items: Sequence[Definition]) -> list[Definition]:
    """Return the first of the definitions that have kind, names and parameters in common."""
    unique: dict[tuple[object, ...], Definition] = {}
    for item in items:
        is_named = item.names and item.kind in FUNCTIONS | VALUES and not item.text.startswith("extern ")
        may_repeat = item.starts or (item.kind == "template_declaration" and not item.parameters)
        key = (item.kind, item.names, item.parameters) if is_named and not may_repeat else (item.text,)
        unique.setdefault(key, item)
    return list(unique.values())


def _close(items: Sequence[Definition], words: Iterable[str], entry_point: str) -> list[Definition]:
    """Return all that is reached from some words."""
    effects = _Effects(items)
    reached_by = _index(items, lambda item: effects.of(item) if item.is_statement else item.names)
    mentioned_in = _index(items, lambda item: words_of(item.text) if _may_change(item, entry_point) else ())
    kept = {id(item) for item in items if item.kind in ALWAYS_KEPT or item.starts}
    waiting = set(words).union(*(words_of(item.text) for item in items if id(item) in kept))
    seen: set[str] = set()
    touched: set[str] = set()
    while waiting:
        seen |= waiting
        fresh = [item for word in waiting for item in reached_by.get(word, ()) if id(item) not in kept]
        fresh += _touching(fresh, mentioned_in, touched)
        kept.update(id(item) for item in fresh)
        waiting = set().union(*(words_of(item.text) for item in fresh)) - seen
    return [item for item in items if id(item) in kept]


def _may_change(item: Definition, entry_point: str) -> bool:
    """Tell whether something may change what it mentions before anything is called, or is called by what may."""
    return item.kind in TYPES | _MADE_EARLY or (item.kind in FUNCTIONS and not item.mentions({entry_point}))


def _touching(
    fresh: Sequence[Definition], mentioned_in: Mapping[str, Sequence[Definition]], touched: set[str]
) -> list[Definition]:
    """Return the variables whose making may change those that are fresh: they, types or functions mention them."""
    found: list[Definition] = []
    variables = (item for item in fresh if item.kind in TYPES or (item.kind in _MADE_EARLY and not item.has_body))
    waiting = {name for item in variables for name in item.names}
    while waiting := waiting - touched:
        touched |= waiting
        users = [item for name in waiting for item in mentioned_in.get(name, ())]
        found += [item for item in users if item.kind in _MADE_EARLY]
        waiting = {name for item in users for name in item.names}
    return found


class _Effects:
    """What statements may change, also by what they name."""

    def __init__(self, items: Sequence[Definition]) -> None:
        self._makers = _index(items, lambda item: () if item.is_statement else item.names)
        self._holders = _index(items, lambda item: (item.names | item.assigns) if item.holds else ())

    def of(self, item: Definition) -> set[str]:
        """Return the names of what a statement may change."""
        effects = set(item.changes)
        named = waiting = words_of(item.text)
        while waiting:
            makers = [maker for name in waiting for maker in self._makers.get(name, ()) if maker.changes]
            effects.update(*(maker.changes for maker in makers))
            waiting = set().union(*(words_of(maker.text) for maker in makers)) - named
            named |= waiting
        waiting = set(effects)
        while waiting:
            waiting = {
                name for held in waiting for item in self._holders.get(held, ()) for name in item.holds
            } - effects
            effects |= waiting
        return effects


def _index(items: Sequence[Definition], words: Callable[[Definition], Iterable[str]]) -> dict[str, list[Definition]]:
    index: defaultdict[str, list[Definition]] = defaultdict(list)
    for item in items:
        for word in words(item):
            index[word].append(item)
    return index

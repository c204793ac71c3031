"""What an entry point can reach among the statements of an answer.

Enters: the parts of an answer (its code blocks, say) as statements, and the name of the entry point. Leaves: the
statements that bind a name that is needed, that change the object of such a name, or that set something for the whole
interpreter; in their order. A statement that calls the entry point is a use of the answer and no part of it, unless it
binds what is needed, or changes it by itself.
Not guaranteed: a statement whose effect goes by ways that `data_flow` does not see.
"""

import builtins
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evaluation.data_flow import LOOKUPS, Statement
from evaluation.top_level import find_statements, parse

_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Part:
    """One text of an answer, such as a code block."""

    text: str
    statements: Sequence[Statement]
    is_program: bool
    """All of it parses; else there is prose between the statements."""
    is_whole: bool
    """It was ended on purpose; else it may be cut off, or have run on after the answer."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What an entry point can reach."""

    statements: Sequence[Statement]
    lacks: bool
    """A name is used that nothing gives a meaning."""


def read_part(text: str, *, is_whole: bool = False) -> Part:
    """Return a text with its statements."""
    return Part(text, find_statements(text), parse(text) is not None, is_whole)


def parts_that_define(parts: Sequence[Part], entry_point: str) -> list[int]:
    """Return the numbers of the parts that define the entry point, if only by an import or under a `__main__`.

    In prose an import is taken for prose.
    """
    numbers = range(len(parts))
    found = [number for number in numbers if _definitions(parts[number].statements, entry_point)]
    imported = [number for number in numbers if parts[number].is_program and _imports(parts[number], entry_point)]
    bodies = {number: [inner for item in parts[number].statements for inner in item.body] for number in numbers}
    return found or imported or [number for number in numbers if _definitions(bodies[number], entry_point)]


def has_run_on(part: Part, entry_point: str) -> bool:
    """Tell whether a text defines the entry point anew after it had answered, and was not ended on purpose."""
    answers = [
        item
        for item in _definitions(part.statements, entry_point)
        if item.kind in ("definition", "assignment") and entry_point not in item.runs
    ]
    return len(answers) > 1 and not part.is_whole


def is_cut_off(part: Part, entry_point: str) -> bool:
    """Tell whether a text ends within its definition of the entry point."""
    definitions = _definitions(part.statements, entry_point)
    if part.is_program or not definitions or definitions[-1] is not part.statements[-1]:
        return False
    text = definitions[-1].text.rstrip()
    return part.text[part.text.rfind(text) + len(text) :].lstrip("\n")[:1].isspace()


def find_needed(
    parts: Sequence[Part],
    chosen: int,
    given: Sequence[Statement],
    entry_point: str,
    *,
    first_of_each: bool,
    last_counts: bool = False,
) -> Needed:
    """Return what the entry point of one part needs of all parts, and of what is given besides.

    A name means what the chosen part makes of it; else what the nearest part before it does, or the next one after it;
    else what stands under a `__main__`; else what is given. Of several definitions of a name in the chosen part all are
    kept, so that the last counts, or with `first_of_each` only the first. With `last_counts` a name means what the last
    part makes of it that makes anything of it.
    """
    own = parts[chosen].statements
    own = [item for item in own if not (_is_void(item) and entry_point in item.binds)]
    own = _first_of_each(own) if first_of_each else own
    places = [*range(chosen, -1, -1), *range(chosen + 1, len(parts))]
    places = [*reversed(range(len(parts)))] if last_counts else places
    ranked: list[tuple[int, Statement]] = [(2 * len(parts), item) for item in given]
    for number, part in enumerate(parts):
        rank = places.index(number)
        items = own if number == chosen else [item for item in part.statements if entry_point not in item.binds]
        ranked += [(rank, item) for item in items]
        guarded = [inner for item in items if item.kind == "guard" for inner in item.body]
        ranked += [(len(parts) + rank, item) for item in guarded]
    prose = {id(item) for part in parts if not part.is_program for item in part.statements}
    return _Flow(ranked, prose, entry_point).find_needed()


def _definitions(statements: Iterable[Statement], entry_point: str) -> list[Statement]:
    """Return the statements that make the entry point what it is."""
    items = (item for item in statements if entry_point in item.binds and not item.hollow)
    return [item for item in items if item.kind not in ("deletion", "import", "guard")]


def _is_void(item: Statement) -> bool:
    return item.hollow or (item.kind == "deletion" and len(item.binds) == 1)


def _imports(part: Part, entry_point: str) -> bool:
    return any(item.kind == "import" and entry_point in item.binds for item in part.statements)


def _first_of_each(statements: Sequence[Statement]) -> list[Statement]:
    """Leave out what defines a name again without making use of what it was."""
    known: set[str] = set()
    kept = []
    for item in statements:
        if item.kind == "assignment" or (item.kind == "definition" and not item.hollow):
            if item.binds & known and not item.binds & item.runs:
                continue
            known |= item.binds
        kept.append(item)
    return kept


class _Flow:
    """How names depend on each other."""

    def __init__(self, ranked: Sequence[tuple[int, Statement]], prose: set[int], entry_point: str) -> None:
        self._entry_point = entry_point
        self._binding: defaultdict[str, list[Statement]] = defaultdict(list)
        for _, item in ranked:
            for name in item.binds:
                self._binding[name].append(item)
        self._has_star = any(item.is_star for _, item in ranked)
        self._items = [
            (rank, item)
            for rank, item in ranked
            if item.kind != "guard" and (self._has_star or id(item) not in prose or self._is_understood(item))
        ]
        self._home: dict[str, int] = {}
        for rank, item in self._items:
            for name in item.binds:
                self._home[name] = min(rank, self._home.get(name, rank))
        self._callers = self._callers_of(entry_point)
        self._wanted_for = self._index()
        self._kept: set[int] = set()
        self._needed: set[str] = set()

    def find_needed(self) -> Needed:
        """Return the statements that are needed, those that must come first before the others."""
        standing = (item for _, item in self._items if item.is_star or item.is_future or self._is_setting(item))
        self._keep_all(standing)
        self._need({self._entry_point})
        if self._lacks_a_name():  # then it may be made at run time
            makers = [item for _, item in self._items if item.kind in ("assignment", "other") and item.runs & LOOKUPS]
            makers += self._wanted_for[_state_of("builtins")]
            self._keep_all(item for item in makers if not item.is_aside and not item.mentions & self._callers)
        found = [item for _, item in self._items if id(item) in self._kept]
        found.sort(key=lambda item: not item.is_future)
        may_make_names = self._has_star or any(item.uses & {*LOOKUPS, "builtins"} for item in found)
        return Needed(found, self._lacks_a_name() and not may_make_names)

    def _need(self, names: set[str]) -> None:
        """Keep what these names need, and what that needs."""
        waiting = list(names - self._needed)
        self._needed |= names
        while waiting:
            for item in self._wanted_for[waiting.pop()]:
                if id(item) not in self._kept:
                    self._kept.add(id(item))
                    fresh = self._needs_of(item) - self._needed
                    self._needed |= fresh
                    waiting += fresh

    def _keep_all(self, items: Iterable[Statement]) -> None:
        for item in items:
            self._kept.add(id(item))
            self._need(self._needs_of(item))

    def _needs_of(self, item: Statement) -> set[str]:
        """Return the names that a statement needs, and marks of the packages whose state matters to it."""
        found = set(item.uses) | {_state_of(package) for package in item.modules}
        if not item.modules <= sys.stdlib_module_names:
            found.add(_state_of("sys"))  # as of sys.path, where they are looked for
        if item.uses & LOOKUPS:
            found |= self._names_to_look_up()
        return found

    def _index(self) -> dict[str, list[Statement]]:
        """Return for each name the statements that are needed where it is: they bind it, or change its object."""
        index: defaultdict[str, list[Statement]] = defaultdict(list)
        for rank, item in self._items:
            for name in item.binds:
                if self._home[name] == rank:
                    index[name].append(item)
            for name in self._changed_by(item):
                if rank in (0, self._home.get(name)):
                    for each in (name, *map(_state_of, self._packages(name))):
                        index[each].append(item)
        return index

    def _changed_by(self, item: Statement) -> set[str]:
        """Return the names of the objects that a statement changes, for all that can be told."""
        changed = self._sources(item.stores)
        if item.is_aside or item.mentions & self._callers:
            return changed
        touched = item.touches | item.calls | self._effects(item.runs)
        return changed | touched | (self._sources(touched) - {self._entry_point})

    def _is_understood(self, item: Statement) -> bool:
        """Tell a statement from a line of prose that happens to parse: something defines the names it reads."""
        return item.kind in ("definition", "import") or all(
            name in self._binding or name in _BUILTINS for name in item.runs
        )

    def _is_setting(self, item: Statement) -> bool:
        """Tell whether a statement sets something of the standard library, which may be for the whole interpreter."""
        packages = (package for name in item.touches | item.calls for package in self._packages(name))
        return item.sets and not item.is_aside and any(package in sys.stdlib_module_names for package in packages)

    def _packages(self, name: str) -> set[str]:
        """Return the packages that a name is imported from."""
        imports = (item for item in self._binding.get(name, ()) if item.kind in ("import", "other"))
        return {package for item in imports for package in item.modules}

    def _sources(self, names: Iterable[str]) -> set[str]:
        """Return the names, and those of the objects that they are other names for."""
        return self._closure(names, lambda item: item.copies | item.gives | self._given_back(item))

    def _given_back(self, item: Statement) -> set[str]:
        """Return the names of objects that come as results, the answer's own left out."""
        makers = [maker for name in item.results - self._callers for maker in self._binding.get(name, ())]
        return {name for maker in makers for name in maker.gives}

    def _effects(self, names: Iterable[str]) -> set[str]:
        """Return the names of objects that functions of these names may change, directly or by calling others."""
        reached = self._closure(names, lambda item: item.uses)
        return {changed for name in reached for item in self._binding.get(name, ()) for changed in item.later}

    def _closure(self, names: Iterable[str], follow: Callable[[Statement], Iterable[str]]) -> set[str]:
        reached, waiting = set(names), list(names)
        while waiting:
            fresh = {other for item in self._binding.get(waiting.pop(), ()) for other in follow(item)} - reached
            reached |= fresh
            waiting += fresh
        return reached

    def _callers_of(self, entry_point: str) -> set[str]:
        """Return the names by which the entry point may come to be called."""
        users: defaultdict[str, set[str]] = defaultdict(set)
        for _, item in self._items:
            for name in item.uses:
                users[name] |= item.binds
        callers, waiting = {entry_point}, [entry_point]
        while waiting:
            fresh = users[waiting.pop()] - callers
            callers |= fresh
            waiting += fresh
        return callers

    def _lacks_a_name(self) -> bool:
        names = {name for name in self._needed if name.isidentifier()}
        return not names <= self._binding.keys() | _BUILTINS

    def _names_to_look_up(self) -> set[str]:
        """Return what a program may mean that looks names up: all that its own part makes without the entry point."""
        kinds = ("definition", "assignment", "import")
        items = (item for rank, item in self._items if not rank and item.kind in kinds)
        return {name for item in items if not item.mentions & self._callers for name in item.binds}


def _state_of(package: str) -> str:
    """Return the mark that stands for the state of a package among the names; no name is like it."""
    return f"{package}()"

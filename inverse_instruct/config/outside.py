"""What the values of a config name outside of it: one mark a field, from which all else follows.

Enters: a section whose fields of text carry a mark, as in `path: Annotated[str, FILE]`. Leaves: its values, each with
its mark, to be made absolute, looked for, or refused. A field of text without a mark is an error of ours, which a test
finds. Not guaranteed: anything for what a named file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True)
class Outside:
    """A mark: what a value names."""

    kind: Literal["file", "program", "command", "address", "listen", "keys", "nothing"]
    ours: tuple[str, ...] = ()  # values that name what ships with the program
    is_repository: bool = False  # a git repository, whose content is what leads to its head

    @property
    def is_path(self) -> bool:
        """Whether values are paths, which are relative to the folder of the config."""
        return self.kind in ("file", "program", "keys")


FILE = Outside("file")
"""A file or folder that is read as data, or a name on the HF hub."""
PROGRAM = Outside("program")
"""A file that decides what is run, where, or what it writes."""
COMMAND = Outside("command")
"""Arguments or a switch that decide what is run."""
ADDRESS = Outside("address")
"""An URL that is asked."""
LISTEN = Outside("listen")
"""An address or a port to listen on."""
KEYS = Outside("keys")
"""A file with keys."""
Text = Annotated[str, Outside("nothing")]
"""Words that only this program and its models read."""

Change = Callable[[str, Outside, Any], Any]


def change_outside(section: Section, change: Change, place: str = "") -> Section:
    """Return a section with every value that names something outside replaced.

    Args:
        section: it, and the sections in it.
        change: makes the new value of a key such as `corpus.0.path`, its mark and its value.
        place: key of the section, with a point at its end.
    """
    changed = {
        name: _changed(getattr(section, name), _mark(field), change, f"{place}{name}")
        for name, field in type(section).model_fields.items()
    }
    return section.model_copy(
        update={name: value for name, value in changed.items() if value != getattr(section, name)}
    )


def outside_values(section: BaseModel) -> list[tuple[str, Outside, Any]]:
    """Return every value of a section that names something outside, with its key and mark."""
    found: list[tuple[str, Outside, Any]] = []

    def note(key: str, mark: Outside, value: Any) -> Any:
        found.append((key, mark, value))
        return value

    change_outside(section, note)
    return found


def marks(field: FieldInfo) -> list[Outside]:
    """Return the marks of a field; right is one for text, and none or one for other values."""
    return [mark for mark in [*field.metadata, *_metadata(field.annotation)] if isinstance(mark, Outside)]


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _metadata(part)


def _mark(field: FieldInfo) -> Outside | None:
    return next(iter(marks(field)), None)


def _changed(value: Any, mark: Outside | None, change: Change, key: str) -> Any:
    if isinstance(value, BaseModel):
        return change_outside(value, change, f"{key}.")
    if isinstance(value, list):
        return [_changed(item, mark, change, f"{key}.{number}") for number, item in enumerate(value)]
    if mark is None or mark.kind == "nothing" or value is None or value in mark.ours:
        return value
    return change(key, mark, value)

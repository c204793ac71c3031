"""Which rows of a source are left out by its `where`.

Enters: the fields of a row as they stand in the file, and for some fields the values of which a row must have one.
Leaves: why it is left out. Values are compared as text, so that 5 is equal whether JSON, CSV or YAML holds it, and true
is not 1. Not guaranteed: anything for values within values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inverse_instruct.errors import CorpusError

Where = Mapping[str, Sequence[str | bool | int | float]]
_SHOWN_CHARACTERS = 60


class ColumnFilter:
    """The `where` of a source."""

    def __init__(self, where: Where) -> None:
        """Take the values that rows must have."""
        self._wanted = {name: {_as_text(value) for value in values} for name, values in where.items()}

    def left_out(self, fields: Mapping[str, Any]) -> str:
        """Return why a row is left out; "" if it is not."""
        for name, wanted in self._wanted.items():
            value = fields.get(name)
            if wanted.isdisjoint(map(_as_text, value if isinstance(value, list) else [value])):
                return f"left out by the filter on {name!r}, which is {_shown(value)}"
        return ""

    def lacks(self, fields: set[str]) -> bool:
        """Tell whether there is no such field as one that is filtered by."""
        return not self._wanted.keys() <= fields

    def check(self, fields: set[str], place: str, which: str) -> None:
        """See that there are the fields that are filtered by.

        Args:
            fields: those of all rows that were looked at.
            place: where the rows are.
            which: the rows, in words.

        Raises:
            CorpusError: one is not there.
        """
        if missing := sorted(self._wanted.keys() - fields):
            there = ", ".join(sorted(fields)[:20]) or "none"
            raise CorpusError(
                f"{place}: {which} has the field {missing[0]!r}, which `where` filters by; the fields are {there}"
            )


def _as_text(value: Any) -> str | None:
    """Return a value as it is compared; None: it is equal to no other."""
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    text = _as_text(value)
    if text is None:
        return "empty" if value is None else f"a {type(value).__name__}"
    return repr(text[:_SHOWN_CHARACTERS])

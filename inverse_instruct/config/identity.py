"""What of a config decides a result, told once, by marks on its fields: pinning, keys and digests follow from them.

Enters: a section whose fields carry `HOW` where they say where and how fast a thing is done, and a mark of `outside`
where they name a file. Leaves: plain values of all other fields; for keys of stages, files by their content, so that a
file that was moved changes nothing and one that was edited does.
Not guaranteed: that a data set on the hub is the one it was; it goes by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inverse_instruct.config.outside import Outside, change_outside
from inverse_instruct.records import digest


@dataclass(frozen=True)
class How:
    """A mark: the field says where, how fast or how much is done, never what comes out."""


HOW = How()


def decisive(section: BaseModel) -> dict[str, Any]:
    """Return the values of a section that decide what comes out, paths as they are given."""
    return {
        name: _plain(getattr(section, name)) for name, field in type(section).model_fields.items() if not is_how(field)
    }


def identity(section: BaseModel) -> dict[str, Any]:
    """Return the values of a section that decide what comes out, with files by their content.

    Raises:
        CorpusError: a folder that is named cannot be listed, or is no git repository where it should be one.
    """
    from inverse_instruct.source_code.contents import content_of, head_commit

    def content(key: str, mark: Outside, value: Any) -> Any:
        return head_commit(value) if mark.is_repository else content_of(value) if mark.is_path else value

    return decisive(change_outside(section, content))


def identity_of(value: Any) -> Any:
    """Return the identity of a section, of a list of them, or a plain value as it is."""
    if isinstance(value, BaseModel):
        return identity(value)
    return [identity_of(item) for item in value] if isinstance(value, list) else value


def is_how(field: FieldInfo) -> bool:
    """Tell whether a field is marked with `HOW`."""
    return any(isinstance(mark, How) for mark in field.metadata)


def how_keys(section: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the key of every field marked with `HOW`, such as `train.save_steps`, also in sections within."""
    for name, field in section.model_fields.items():
        inner = field.annotation if isinstance(field.annotation, type) else None
        if inner is not None and issubclass(inner, BaseModel):
            for key in how_keys(inner):
                yield f"{place}{name}.{key}"
            if is_how(field):
                yield from (f"{place}{name}.{key}" for key in inner.model_fields if key not in set(how_keys(inner)))
        elif is_how(field):
            yield f"{place}{name}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return decisive(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def config_digest(config: BaseModel) -> str:
    """Return the digest of what decides the results of a run."""
    return digest(json.dumps(decisive(config)))

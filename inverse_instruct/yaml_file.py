"""YAML that nobody vouches for: its values, and the line of each key.

Enters: a file or a text. Leaves: plain values; tags that make Python objects are refused, and so are files that are too
large or that become so once their aliases are written out ("billion laughs"). Not guaranteed: that a key is there once;
of several equal ones the last counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from inverse_instruct.errors import ConfigError

Key = tuple[str | int, ...]

_MAX_BYTES = 1 << 20
_MAX_VALUES = 20_000
_NOT_YAML = (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What PyYAML raises: all but the first for values that do not fit their tags, and for deep nesting."""


def read_yaml(path: Path) -> tuple[Any, dict[Key, int]]:
    """Return the values of a file and the 1-based line of each key.

    Raises:
        ConfigError: there is no such file, it is not YAML, or it is too large.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); check the path"]) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError([f"{path}: has more than {_MAX_BYTES} bytes, so it is no config; check the path"])
    return parse_yaml(data, str(path))


def parse_yaml(data: bytes, place: str) -> tuple[Any, dict[Key, int]]:
    """Return the values of a text and the 1-based line of each key; `place` says in errors where it came from.

    Raises:
        ConfigError: it is not YAML, or stands for too many values.
    """
    try:
        text = data.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node and _count(node, {}) > _MAX_VALUES:
            raise ConfigError([f"{place}: stands for more than {_MAX_VALUES} values once its aliases are written out; "
                               "write it without them"])
        return yaml.safe_load(text), _line_numbers(node)
    except _NOT_YAML as error:
        raise ConfigError([f"{place}: is not valid YAML: {' '.join(str(error).split())[:500]}"]) from error


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for; one that holds itself counts as too many."""
    if id(node) not in known:
        known[id(node)] = _MAX_VALUES
        known[id(node)] = 1 + sum(_count(child, known) for child in _children(node))
    return known[id(node)]


def _line_numbers(node: yaml.Node | None, prefix: Key = ()) -> dict[Key, int]:
    lines: dict[Key, int] = {}
    children: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, value, value) for index, value in enumerate(node.value)]
    for name, where, value in children:
        lines[(*prefix, name)] = where.start_mark.line + 1
        lines.update(_line_numbers(value, (*prefix, name)))
    return lines

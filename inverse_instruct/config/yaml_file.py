"""YAML that nobody vouches for: its values, and the line of each key.

Enters: a file or a text. Leaves: plain values; tags that make Python objects are refused, and so are files that are too
large or too deep, also such as become so once their aliases are written out ("billion laughs"). Not guaranteed: that a
key is there once; of several equal ones the last counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from inverse_instruct.errors import ConfigError

Key = tuple[str | int, ...]

MAX_DEPTH = 32  # of values in values; a config has six
_MAX_BYTES = 1 << 20
_MAX_VALUES = 20_000
_MAX_DIGITS = 400  # of a number; longer ones take time to read, and fit no field
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_NOT_YAML = (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ArithmeticError)
"""What PyYAML raises: all but the first for values that do not fit their tags."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C reads deep nesting in linear time


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
        _check_events(text, place)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        if _count(node, {}) > _MAX_VALUES:
            raise ConfigError(
                [
                    f"{place}: stands for more than {_MAX_VALUES} values once its aliases are written out; "
                    "write it without them"
                ]
            )
        return loader.construct_document(node), _line_numbers(node)
    except _NOT_YAML as error:
        raise ConfigError([f"{place}: is not valid YAML: {' '.join(str(error).split())[:500]}"]) from error


def check_depth(tree: Any, depth: int = MAX_DEPTH) -> None:
    """See that values are nested no deeper than `MAX_DEPTH`.

    Raises:
        ValueError: they are.
    """
    if depth < 0:
        raise ValueError(f"its values are nested more than {MAX_DEPTH} deep")
    if isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            check_depth(value, depth - 1)


def _check_events(text: str, place: str) -> None:
    """Look at a text piece by piece, before a tree is made of it."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ConfigError([f"{place}: its values are nested more than {MAX_DEPTH} deep; a config is not"])
        if number > 2 * _MAX_VALUES:
            raise ConfigError([f"{place}: holds more than {_MAX_VALUES} values; a config does not"])


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for; one that holds itself counts as too many.

    Raises:
        ValueError: one is a number that takes long to read.
    """
    if node.tag in _NUMBERS and len(node.value) > _MAX_DIGITS:
        raise ValueError(f"it holds a number of more than {_MAX_DIGITS} digits")
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

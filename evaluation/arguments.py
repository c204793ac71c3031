"""Arguments to call a Python function with, guessed from its signature.

Enters: the source of a module. Leaves: its outermost functions with their parameters, and for each as many argument
lists as are wanted: by annotation, by the type of the default, by the name of the parameter, and the rest by chance.
The same function gives the same arguments. Not guaranteed: that a function accepts any of them.
"""

import ast
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.syntax import NO_PROGRAM, read_tree, text_of

Draw = Callable[[random.Random], object]

_WORDS = [
    "alpha",
    "beta",
    "gamma",
    "Delta",
    "racecar",
    "a b c",
    "",
    "x",
    "42",
    "Hello, World!",
    "na\u00efve",
    "line\nbreak",
]
_NAMES = {
    "bool": re.compile(r"^(?:is|has|use|should|allow|include|reverse|strict|verbose)(?:_|$)|flag"),
    "list[str]": re.compile(r"^(?:words|names|lines|strings|texts|tokens|keys|labels|paths|parts)$"),
    "list[int]": re.compile(
        r"^(?:n?umbers|nums?_list|nums|items?|lst|list|l|arr|array|values|data|elements|xs|seq|sequence|iterable|"
        r"scores|prices|grades|collection|vals|it)$"
    ),
    "list[list[int]]": re.compile(r"^(?:matrix|grid|board|rows|table|lists|nested)$"),
    "dict[str,int]": re.compile(r"^(?:d|dict|dictionary|mapping|counts?_by\w*|config|options|params|inventory|stock)$"),
    "float": re.compile(r"price|rate|ratio|amount|weight|height|radius|balance|temperature|percent|tax|discount"),
    "str": re.compile(r"^s$|str|text|name|word|line|path|message|title|char|url|email|sentence|password|key|pattern"),
    "int": re.compile(
        r"^[abijkmnxyz]$|num|count|index|size|length|limit|age|year|start|stop|end|step|width|depth|max|min"
    ),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A function and what it must be given."""

    name: str
    parameters: tuple[str, ...]
    kinds: tuple[str, ...]
    """For each parameter a key of `KINDS`, or "" where nothing tells it."""


def functions_of(code: str) -> dict[str, Signature]:
    """Return the outermost functions of a module that can be called with positional arguments, by name."""
    try:
        body = read_tree(code).body
    except NO_PROGRAM:
        return {}
    return {node.name: _signature(node) for node in body if isinstance(node, ast.FunctionDef) and _can_be_called(node)}


def argument_lists(signature: Signature, count: int) -> list[list[object]]:
    """Return so many argument lists: half of them as the signature tells, half with other kinds where it is silent."""
    draw = random.Random(f"{signature.name} {signature.parameters}")
    lists = []
    for number in range(count):
        kinds = [kind or draw.choice(list(KINDS)) for kind in signature.kinds]
        if number % 2 == 0:
            kinds = [kind or _by_name(name) for name, kind in zip(signature.parameters, signature.kinds, strict=True)]
        lists.append([KINDS[kind](draw) for kind in kinds])
    return lists


def _can_be_called(node: ast.FunctionDef) -> bool:
    arguments = node.args
    required = [default for default in arguments.kw_defaults if default is None]
    return bool(_positional(arguments)) and not required and not node.decorator_list


def _positional(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args]


def _signature(node: ast.FunctionDef) -> Signature:
    names = _positional(node.args)
    defaults: Sequence[ast.expr | None] = [*[None] * (len(names) - len(node.args.defaults)), *node.args.defaults]
    kinds = tuple(_by_annotation(name) or _by_default(value) for name, value in zip(names, defaults, strict=True))
    return Signature(node.name, tuple(name.arg for name in names), kinds)


def _by_annotation(name: ast.arg) -> str:
    if name.annotation is None:
        return ""
    text = text_of(name.annotation).strip("'\"").replace("typing.", "").replace(" ", "")
    text = re.sub(r"^Optional\[(.*)\]$", r"\1", text).removesuffix("|None")
    text = re.sub(r"\b(?:List|Sequence|Iterable|Collection)\b", "list", text)
    text = re.sub(r"\b(?:Dict|Mapping)\b", "dict", text)
    plain = {"list": "list[int]", "dict": "dict[str,int]", "list[float]": "list[float]", "set": "set[int]"}
    kind = plain.get(text, text)
    return kind if kind in KINDS else ""


def _by_default(value: ast.expr | None) -> str:
    kind = type(value.value).__name__ if isinstance(value, ast.Constant) else ""
    return kind if kind in KINDS else ""


def _by_name(name: str) -> str:
    return next((kind for kind, pattern in _NAMES.items() if pattern.search(name.lower())), "int")


def _whole(draw: random.Random) -> int:
    return draw.choice([0, 1, 2, 3, 5, 7, 10, -1, -4, 12, 100, draw.randrange(1000)])


def _word(draw: random.Random) -> str:
    return draw.choice(_WORDS)


def _number(draw: random.Random) -> float:
    return draw.choice([0.0, 1.0, 0.5, 2.25, 19.99, 100.0, -3.5, draw.randrange(1000) / 8])


def _several(of: Draw) -> Draw:
    return lambda draw: [of(draw) for _ in range(draw.randrange(7))]


KINDS: dict[str, Draw] = {
    "int": _whole,
    "str": _word,
    "float": _number,
    "bool": lambda draw: draw.random() < 0.5,
    "list[int]": _several(_whole),
    "list[str]": _several(_word),
    "list[float]": _several(_number),
    "list[list[int]]": lambda draw: [[_whole(draw) for _ in range(3)] for _ in range(3)],
    "dict[str,int]": lambda draw: {_word(draw): _whole(draw) for _ in range(draw.randrange(5))},
    "set[int]": lambda draw: {_whole(draw) for _ in range(draw.randrange(6))},
}
"""Kind of value -> how one is drawn."""

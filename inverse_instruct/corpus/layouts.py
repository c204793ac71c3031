"""Layouts of instruction data: how the fields of one record become an instruction and a response.

Enters: the fields of a record, and the layout. Leaves: a `Parts`, of a conversation several if that is wanted; or a
`ValueError` that says which field is wrong. `detect_layout` tells the layout by the fields alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from inverse_instruct.corpus.conversations import Exchange, exchanges, with_history
from inverse_instruct.corpus.rows import refuse_damage

Fields = Mapping[str, Any]

_PAIRS = (
    ("instruction", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("problem", "solution"),
    ("query", "answer"),
    ("query", "response"),
    ("input", "output"),
)
_CODE = ("code", "content", "whole_func_string", "original_string", "func_code_string", "text")
_LANGUAGE = ("language", "lang", "programming_language")
_TURNS = {"sharegpt": "conversations", "messages": "messages"}
_FRAMES = {"<>", "[]", "()", "{}", '""', "''", "``", "**"}
_LONGEST_PLACEHOLDER = 60  # characters
_NOTHING = {
    "input",
    "none",
    "n/a",
    "na",
    "null",
    "nil",
    "nan",
    "empty",
    "blank",
    "undefined",
    "not applicable",
    "not available",
    "not required",
    "not needed",
}
_NO_INPUT = re.compile(
    r"no ?(?:additional |further |specific )?(?:input|context)s?(?: is)?"
    r"(?: required| needed| necessary| provided| given| available)?"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a record says: "" as the instruction of plain code."""

    instruction: str
    response: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Chats:
    """How conversations are read, and what of them was not."""

    each: bool = False  # all answers, each with what was said before it, and not only the first
    keep_system: bool = False
    unread: Counter[str] = field(default_factory=Counter)  # `answers` behind the first, `system_prompts`


def detect_layout(fields: Fields) -> str | None:
    """Return the layout that a record with these fields has, or None if it has none that we know."""
    for layout, name in _TURNS.items():
        if isinstance(fields.get(name), list):
            return layout
    if "instruction" in fields and ("output" in fields or isinstance(fields.get("instances"), list)):
        return "alpaca"
    if _pair(fields):
        return "instruction_response"
    return "code" if any(name in fields for name in _CODE) else None


def read_parts(fields: Fields, layout: str, chats: Chats) -> Iterator[Parts]:
    """Yield the instruction and the response of a record in the named layout, of a conversation those that are wanted.

    Raises:
        ValueError: a field is missing, is not text, or holds what no text file should; what came before it is good.
    """
    language = next((value for name in _LANGUAGE if isinstance(value := fields.get(name), str)), None)
    turns = _TURNS.get(layout)
    for instruction, response in _exchanges(fields, turns, chats) if turns else [_READERS[layout](fields)]:
        for text in (instruction, response):
            refuse_damage(text)
        yield Parts(instruction, response, language)


def _alpaca(fields: Fields) -> tuple[str, str]:
    instances = fields.get("instances")
    if "output" not in fields and isinstance(instances, list) and instances and isinstance(instances[0], dict):
        fields = {**fields, **instances[0]}  # the seed tasks of self-instruct keep input and output one level down
    return _with_input(fields, "instruction"), _text(fields, "output")


def _instruction_response(fields: Fields) -> tuple[str, str]:
    pair = _pair(fields)
    if pair is None:
        raise ValueError(f"has no instruction and response; its fields are {_names(fields)}")
    asked, answered = pair
    return _text(fields, asked) if asked == "input" else _with_input(fields, asked), _text(fields, answered)


def _pair(fields: Fields) -> tuple[str, str] | None:
    """Return the fields of the instruction and the response; an input is the instruction where there is no other."""
    found = [pair for pair in _PAIRS if all(name in fields for name in pair)]
    return next((pair for pair in found if pair[0] != "input" or "instruction" not in fields), None)


def _exchanges(fields: Fields, name: str, chats: Chats) -> Iterator[tuple[str, str]]:
    turns = fields.get(name)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError(f"field {name!r} is missing or is not a list of turns")
    try:
        yield from _wanted(turns, chats)
    except ValueError as error:
        raise ValueError(f"field {name!r}: {error}") from error


def _wanted(turns: Sequence[Fields], chats: Chats) -> Iterator[tuple[str, str]]:
    found = exchanges(turns)
    before: list[Exchange] = []
    for exchange in found:
        chats.unread["system_prompts"] += bool(exchange.system) and not chats.keep_system
        if not chats.each:
            with suppress(ValueError):  # what is behind the first answer is not read, and may be anything
                for _ in found:
                    chats.unread["answers"] += 1
        yield with_history(before, exchange, keep_system=chats.keep_system), exchange.answer
        before.append(exchange)


def _code(fields: Fields) -> tuple[str, str]:
    name = next((name for name in _CODE if name in fields), None)
    if name is None:
        raise ValueError(f"has none of the fields {', '.join(_CODE)}; its fields are {_names(fields)}")
    return "", _text(fields, name)


def _with_input(fields: Fields, name: str) -> str:
    instruction = _text(fields, name)
    extra = "" if fields.get("input") is None else _text(fields, "input")
    if _says_nothing(extra):
        return instruction
    return f"{instruction}\n\n{extra}" if instruction else extra


def _says_nothing(extra: str) -> bool:
    """Tell whether an input only says that there is none, as `<noinput>`, `N/A` and a dash do."""
    if len(extra) > _LONGEST_PLACEHOLDER or not any(map(str.isalnum, extra)):
        return not extra.strip(" \t\r\n-–—.")
    words = extra.strip().rstrip(".:").lower()
    if words[0] + words[-1] in _FRAMES:
        words = words[1:-1]
    words = " ".join(re.sub("[_-]", " ", words).split())
    return words in _NOTHING or bool(_NO_INPUT.fullmatch(words))


def _text(fields: Fields, name: str) -> str:
    if name not in fields:
        raise ValueError(f"has no field {name!r}; its fields are {_names(fields)}")
    value = fields[name]
    if not isinstance(value, str):
        raise ValueError(f"field {name!r} is {'null' if value is None else type(value).__name__}, not text")
    return value


def _names(fields: Fields) -> str:
    return ", ".join(name[:40] for name in sorted(map(str, fields))[:20]) or "none"


_READERS: dict[str, Callable[[Fields], tuple[str, str]]] = {
    "alpaca": _alpaca,
    "instruction_response": _instruction_response,
    "code": _code,
}

"""Awkward corpora: each entry makes one file or folder and says what must become of it.

Enters: an empty folder. Leaves: the corpus in it. Nothing is committed as a binary, so that a reader sees what is odd
about each. `ROWS` are told by their bytes and JSON, `FILES` by what kind of file they are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Awkward:
    """One corpus, and what is expected of it."""

    name: str
    make: Callable[[Path], object]  # is given the path of the file or folder
    kept: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)  # reason -> rows
    error: str = ""  # part of the CorpusError that ends the reading, "" if there is none
    format: str = "auto"
    max_characters: int = 20_000
    unprivileged: bool = False  # root may read everything, so the child must not be root
    seconds: float = 20.0


def code(number: int) -> str:
    """Return a function that shares no five tokens with that of another number."""
    rng = random.Random(number)
    a, b, c, d = ("".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(4))
    return f"def {a}({b}, {c}):\n    {d} = {b} * {number} + {c}\n    return {d} - {a}_{number}"


def fenced(text: str, label: str = "python") -> str:
    return f"Here it is:\n\n```{label}\n{text}\n```\nDone."


def row(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"instruction": f"Write function {number}", "output": fenced(code(number)), **fields}


def as_bytes(line: Any) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()


def lines(*rows: Any) -> Callable[[Path], object]:
    """Return what writes JSON lines: dictionaries as JSON, text and bytes as they are."""
    return lambda path: path.write_bytes(b"".join(as_bytes(line) + b"\n" for line in rows))


def content(data: bytes | str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data if isinstance(data, bytes) else data.encode())


def answers(*texts: str) -> Callable[[Path], object]:
    return lines(*({"instruction": f"Do {number}", "output": text} for number, text in enumerate(texts)))


def folder(**files: bytes | str) -> Callable[[Path], object]:
    """Return what writes a folder of source files; `__` in a name stands for a dot, `___` for a slash."""

    def make(path: Path) -> None:
        for name, data in files.items():
            target = path / name.replace("___", "/").replace("__", ".")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data if isinstance(data, bytes) else data.encode())

    return make

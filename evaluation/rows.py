"""Benchmark rows from where they lie: a file, a data folder, or the Hugging Face hub.

Enters: a path or a hub name. Leaves: the rows, each with the place it came from for error messages.
Not guaranteed: that the rows fit a suite; each suite checks its own fields and names place and field.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import BenchmarkError

_MAX_EXPANSION = 200
_EXPANDED_BYTES = 4 << 20
"""What a compressed file may expand to in any case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One task as its file holds it."""

    where: str
    """`file:line`, or `file[index]` in a JSON array, for messages."""
    fields: dict[str, Any]

    def text(self, name: str, *, empty: bool = False) -> str:
        """Return a field that must be text.

        Raises:
            BenchmarkError: it is missing, not text, or empty without `empty`.
        """
        value = self.fields.get(name)
        if not isinstance(value, str) or (not value and not empty):
            raise BenchmarkError(f"{self.where}: {name}: must be {'text' if value != '' else 'non-empty text'}")
        return value


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of one benchmark file."""

    source: str
    md5: str
    """Of the unpacked bytes, as EvalPlus names a version; "" where there is no file."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a suite's data is found when no file is named."""

    files: tuple[str, ...]
    """File names in a data folder, without `.gz`; the first one found is taken, at any depth."""
    hub: str | None = None
    """Data set on the Hugging Face hub."""
    config: str | None = None
    """Its configuration there."""
    split: str = "test"
    """Its split there."""
    download: str = ""
    """Where to get the file by hand, for the error message."""


class OnHub(BenchmarkError):
    """Rows lie on the hub, which `here_only` does not ask."""

    def __init__(self, name: str) -> None:
        """Take the name of the data set."""
        super().__init__(f"{name} is read from the Hugging Face hub")
        self.name = name


_HERE_ONLY: ContextVar[bool] = ContextVar("_HERE_ONLY", default=False)


@contextmanager
def here_only() -> Iterator[None]:
    """Within it, rows on the hub are not loaded; they raise `OnHub`."""
    before = _HERE_ONLY.set(True)
    try:
        yield
    finally:
        _HERE_ONLY.reset(before)


def find_rows(origin: Origin, data: str | None) -> Rows:
    """Return a suite's rows from a file, from a folder that holds its file, or, without `data`, from the hub.

    Raises:
        BenchmarkError: nothing is there, or it cannot be read.
    """
    if data is None:
        return _from_hub(origin)
    path = Path(data)
    if path.is_dir():
        found = [
            candidate
            for name in origin.files
            for ending in ("", ".gz")
            for candidate in sorted(path.rglob(name + ending))
        ]
        if not found:
            raise BenchmarkError(f"{path}: holds no {' or '.join(origin.files)} (.gz); {_remedy(origin)}")
        path = found[0]
    return read_file(path)


def read_file(path: Path) -> Rows:
    """Return the rows of a JSON-lines file or of a JSON array, plain or gzip-compressed.

    Raises:
        BenchmarkError: it is missing, damaged, or holds something else; the message gives file and line.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            limit = max(_EXPANDED_BYTES, _MAX_EXPANSION * len(content))
            with gzip.open(io.BytesIO(content)) as stream:
                content = stream.read(limit + 1)
            if len(content) > limit:
                raise BenchmarkError(
                    f"{path}: expands to more than {_MAX_EXPANSION} times its size, as no benchmark does; "
                    "unpack it yourself if you trust it"
                )
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise BenchmarkError(f"{path}: cannot be read: {error}") from None
    if text.lstrip()[:1] == "[":
        rows = [_row(value, f"{path}[{number}]") for number, value in enumerate(_json(text, str(path)))]
    else:
        lines = enumerate(text.split("\n"), start=1)
        rows = [_row(_json(line, f"{path}:{number}"), f"{path}:{number}") for number, line in lines if line.strip()]
    if not rows:
        raise BenchmarkError(f"{path}: holds no rows")
    return Rows(str(path), hashlib.md5(content, usedforsecurity=False).hexdigest(), tuple(rows))


def content_digest(rows: Sequence[Row]) -> str:
    """Return the SHA-256 of the rows' content and order; file name and compression do not matter."""
    text = json.dumps([row.fields for row in rows], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _from_hub(origin: Origin) -> Rows:
    if origin.hub is None:
        raise BenchmarkError(f"no data is given: {_remedy(origin)}")
    if _HERE_ONLY.get():
        raise OnHub(origin.hub)
    name = f"{origin.hub}{f'/{origin.config}' if origin.config else ''} ({origin.split})"
    try:
        from datasets import load_dataset

        loaded = load_dataset(origin.hub, origin.config, split=origin.split)
    except ImportError:
        raise BenchmarkError(f"{name}: reading from the hub needs the package datasets: pip install datasets") from None
    except Exception as error:  # the library raises what its many readers raise
        brief = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchmarkError(f"{name}: cannot be read from the hub: {brief}; {_remedy(origin)}") from None
    rows = tuple(Row(f"{name}[{number}]", dict(fields)) for number, fields in enumerate(loaded))
    if not rows:
        raise BenchmarkError(f"{name}: holds no rows")
    return Rows(name, "", rows)


def _remedy(origin: Origin) -> str:
    where = f", from {origin.download}" if origin.download else ""
    return f"name a file or a folder that holds {origin.files[0]} (or {origin.files[0]}.gz){where}"


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{where}: not JSON: {error}") from None


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise BenchmarkError(f"{where}: not a JSON object")
    return Row(where, value)

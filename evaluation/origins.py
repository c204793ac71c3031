"""Where the rows of a suite lie: in a file, in a data folder, or on the Hugging Face hub.

Enters: what a suite says of its data, and a path, or none for the hub. Leaves: the rows.
Not guaranteed: that the rows fit a suite; each suite checks its own fields and names place and field.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, Rows, read_file


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

"""Rows of Arrow files, as streams (as `save_to_disk` writes them) or as files (as Feather is).

Enters: a path. Leaves: one `RawRecord` after the other; batches are checked before a value of theirs is read. A file
that expands beyond reason is refused. Not guaranteed: bounded memory for one compressed batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.corpus.json_rows import RawRecord
from inverse_instruct.corpus.unpacking import refuse_bomb
from inverse_instruct.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = b"ARROW1"


def read_arrow(path: Path) -> Iterator[RawRecord]:
    """Read an Arrow file row by row.

    Raises:
        CorpusError: it is damaged, or a bomb.
        OSError: it cannot be read.
    """
    import pyarrow as pa

    number, size = 0, path.stat().st_size
    try:
        for batch in _batches(path):
            batch.validate(full=True)
            refuse_bomb(path, size, batch.nbytes)
            for row in range(batch.num_rows):
                number += 1
                try:
                    yield RawRecord(number, batch.slice(row, 1).to_pylist()[0])
                except (ValueError, OverflowError) as error:
                    yield RawRecord(number, None, f"holds a value that cannot be read ({error})")
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, and not of what is in the file
        raise CorpusError(f"{path}: is not a readable Arrow file ({error}); fetch or write it again") from error


def count_arrow(path: Path) -> int:
    """Return how many rows an Arrow file has; nothing of them is read.

    Raises:
        OSError, ValueError: it is damaged.
    """
    return sum(batch.num_rows for batch in _batches(path))


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if path.stat().st_size == 0:  # which cannot be mapped
        return
    with pa.memory_map(str(path)) as stream:
        if stream.read(len(_FILE)) == _FILE:
            reader = pa.ipc.open_file(stream)
            yield from map(reader.get_batch, range(reader.num_record_batches))
        else:
            stream.seek(0)
            yield from pa.ipc.open_stream(stream)

"""Files of rows as plain records: JSON lines, JSON arrays, CSV, TSV (these also compressed), Parquet and Arrow.

Enters: a path. Leaves: one `RawRecord` after the other, each with its place in the file and either its fields or what
is wrong with it; a broken row never stops the reading. All kinds are streamed, and files that expand beyond reason are
refused. Not guaranteed: bounded memory for a Parquet file whose footer lies about its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.corpus.arrow_rows import read_arrow
from inverse_instruct.corpus.delimited_rows import DELIMITERS, read_delimited
from inverse_instruct.corpus.json_rows import RawRecord, read_json
from inverse_instruct.corpus.unpacking import DAMAGE, refuse_bomb
from inverse_instruct.errors import CorpusError
from inverse_instruct.source_code.row_paths import is_row_file, unpacked_name

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_ROWS = 128


def read_records(path: Path) -> Iterator[RawRecord]:
    """Read a file row by row.

    Raises:
        CorpusError: the file is missing, damaged as a whole, or of a kind that holds no rows.
    """
    if not path.exists():
        raise CorpusError(f"{path}: there is no such file or folder; check the path")
    if not is_row_file(path):
        raise CorpusError(
            f"{path}: is not a corpus file; give a .jsonl, .json, .csv or .tsv file (or .gz, .xz, .zst) or a .parquet "
            "or .arrow file, or convert it to one"
        )
    if not path.is_file():
        raise CorpusError(f"{path}: is not a regular file; give a file of rows, or a folder of source code")
    try:
        if path.suffix.lower() == ".parquet":
            yield from _read_parquet(path)
        elif path.suffix.lower() == ".arrow":
            yield from read_arrow(path)
        elif unpacked_name(path).endswith(tuple(DELIMITERS)):
            yield from read_delimited(path)
        else:
            yield from read_json(path)
    except DAMAGE as error:
        raise CorpusError(f"{path}: the compressed file is damaged ({error}); fetch it again") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def _read_parquet(path: Path) -> Iterator[RawRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        metadata = pq.read_metadata(path)
        columns = [metadata.schema.column(index) for index in range(metadata.num_columns)]
        _refuse_bomb(path, metadata)
        # as dictionaries, since a text may be stored once and stand in every row
        texts = [column.path for column in columns if column.logical_type.type == "STRING"]
        for batch in pq.ParquetFile(path, read_dictionary=texts).iter_batches(batch_size=_BATCH_ROWS):
            for row in range(batch.num_rows):
                number += 1
                try:
                    yield RawRecord(number, batch.slice(row, 1).to_pylist()[0])
                except UnicodeDecodeError as error:
                    yield RawRecord(number, None, f"is not valid UTF-8 ({error.reason} at byte {error.start})")
                except (ValueError, OverflowError) as error:
                    yield RawRecord(number, None, f"holds a value that cannot be read ({error})")
    except (pa.ArrowException, ValueError) as error:  # a name of a column that is not UTF-8 is a ValueError
        raise CorpusError(f"{path}: is not a readable Parquet file ({error}); fetch or write it again") from error


def _refuse_bomb(path: Path, metadata: pq.FileMetaData) -> None:
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = [group.column(index) for index in range(group.num_columns)]
        refuse_bomb(path, sum(column.total_compressed_size for column in columns), group.total_byte_size)

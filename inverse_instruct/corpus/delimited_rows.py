"""Rows of CSV and TSV files, whose first line names the columns.

Enters: a path. Leaves: one `RawRecord` after the other, with the line that it begins at; a row with other cells than
there are columns, or that is no UTF-8, never stops the reading. Quotes are doubled within quoted cells, as spreadsheets
and pandas write them. Not guaranteed: the rows behind a quote that is never closed; they are one cell, and too long.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from inverse_instruct.corpus.json_rows import MAX_ROW_BYTES, RawRecord
from inverse_instruct.corpus.unpacking import open_unpacked
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Reason
from inverse_instruct.source_code.row_paths import unpacked_name

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_FOREIGN = range(0xDC80, 0xDD00)  # what `surrogateescape` makes of bytes that are no UTF-8


def read_delimited(path: Path) -> Iterator[RawRecord]:
    """Read a file of delimited rows.

    Raises:
        CorpusError: its first line does not name columns, each once, or it is UTF-16, as spreadsheets may write it.
        OSError: the file cannot be read; one of `unpacking.DAMAGE`: it is damaged.
    """
    csv.field_size_limit(MAX_ROW_BYTES)
    delimiter = DELIMITERS[Path(unpacked_name(path)).suffix]
    with open_unpacked(path) as stream:
        if stream.peek(2).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise CorpusError(f"{path}: is UTF-16, and not UTF-8; save it as UTF-8, or convert it with iconv")
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        columns = _columns(path, rows)
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                is_long = "field limit" in str(error)
                reason = Reason.TOO_LONG if is_long else Reason.MALFORMED
                yield RawRecord(line, None, f"is not a row of delimited cells ({error})", reason)
                continue
            if cells:
                yield _record(line, columns, cells)


def _columns(path: Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        columns = next(rows, [])
    except csv.Error as error:
        raise CorpusError(f"{path}:1: is not a row of delimited cells ({error}); check the file") from error
    names = [name.strip() for name in columns]
    if columns and (len(set(names)) < len(names) or not all(names)):
        held = ", ".join(names)[:200]
        raise CorpusError(f"{path}:1: the first line must name the columns, each once; it holds {held}")
    return names


def _record(line: int, columns: list[str], cells: list[str]) -> RawRecord:
    if len(cells) != len(columns):
        return RawRecord(line, None, f"has {len(cells)} cells, and there are {len(columns)} columns")
    if any(ord(letter) in _FOREIGN for cell in cells for letter in cell if letter > "\ud7ff"):
        return RawRecord(line, None, "is not valid UTF-8")
    return RawRecord(line, dict(zip(columns, cells, strict=True)))

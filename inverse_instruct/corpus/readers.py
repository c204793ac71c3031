"""Readers of the original corpus.

Enters: a `CorpusSource`, which names files of rows or of source code, or a data set on the HF hub. Leaves: one
`SourceRow` after the other, and a `Rejection` with file and line for every row that cannot be read or that the source's
`where` leaves out; a broken row never stops the reading. Of a conversation each answer that is read is a row. Rows are
streamed, so memory does not grow with the corpus; one row or source file at a time, of bounded size.

Not guaranteed: that a row is usable; that is the business of `preprocess.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.corpus.code_files import read_code_file
from inverse_instruct.corpus.column_filter import ColumnFilter
from inverse_instruct.corpus.json_rows import MAX_ROW_BYTES, RawRecord
from inverse_instruct.corpus.layouts import Chats, detect_layout, read_parts
from inverse_instruct.corpus.places import find_files, is_on_hub
from inverse_instruct.corpus.row_files import read_records
from inverse_instruct.corpus.rows import rejected, source_row
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Reason, Rejection, SourceRow
from inverse_instruct.source_code.docstrings import without_docstrings
from inverse_instruct.source_code.fence_labels import language_of_name

if TYPE_CHECKING:
    from inverse_instruct.config.corpus_source import CorpusSource, FieldNames

_ROWS_TO_TELL_LAYOUT = 100
_ROWS_TO_CHECK = 1000


def read_source(source: CorpusSource, unread: Counter[str] | None = None) -> Iterator[SourceRow | Rejection]:
    """Read one source of the corpus row by row, at most `source.limit` rows, broken ones included.

    Args:
        source: what is read, and how.
        unread: is told how many `answers` and `system_prompts` of conversations are left out.

    Raises:
        CorpusError: the source as a whole cannot be read, or its layout cannot be told.
    """
    path = Path(source.path)
    chats = Chats(source.answers == "each", source.system_prompts == "keep", Counter() if unread is None else unread)
    try:
        files = None if is_on_hub(source.path) else find_files(source)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if files is None:
        rows = _rows(_read_hub(source.path, source.split or "train"), source.path, source.path, source, chats)
    else:
        rows = chain.from_iterable(
            read_code_file(file.path, file.name)
            if file.is_code
            else _rows(read_records(file.path), file.name, str(file.path), source, chats)
            for file in files
        )
    if source.docstrings == "usage":
        rows = map(_without_docstrings, rows)
    return _limited(rows, source.limit)


def check_rows(source: CorpusSource) -> None:
    """See that a source can be read, as far as its first rows tell.

    Raises:
        CorpusError: it cannot be read, its layout cannot be told, or none of its first rows has that layout.
    """
    count, problem = 0, "there is none"
    for row in islice(read_source(source), _ROWS_TO_CHECK):
        if not (isinstance(row, Rejection) and row.reason is Reason.MALFORMED):
            return
        count, problem = count + 1, row.detail if count == 0 else problem
    which = "the first " if count == _ROWS_TO_CHECK else ""
    raise CorpusError(
        f"{source.path}: none of {which}{count} rows gives a snippet (malformed {count}), the first as "
        f"{problem}; check that it is the right file, and the source's format"
    )


def _limited(rows: Iterator[SourceRow | Rejection], limit: int | None) -> Iterator[SourceRow | Rejection]:
    count = 0
    for row in rows:
        yield row
        count += not (isinstance(row, Rejection) and row.reason is Reason.FILTERED_OUT)
        if count == limit:
            return


def _without_docstrings(row: SourceRow | Rejection) -> SourceRow | Rejection:
    if isinstance(row, Rejection) or row.instruction or row.language not in (None, "python"):
        return row
    code, said = without_docstrings(row.response)
    return replace(row, response=code, usage="\n\n".join(filter(None, [row.usage, said]))) if said else row


def _rows(
    records: Iterator[RawRecord], name: str, place: str, source: CorpusSource, chats: Chats
) -> Iterator[SourceRow | Rejection]:
    where = ColumnFilter(source.where)
    records, layout = _with_layout(records, place, source, where)
    for record in records:
        if record.fields is None:
            yield rejected(name, record.line, record.problem, record.reason)
        elif said := where.left_out(record.fields):
            yield rejected(name, record.line, said, Reason.FILTERED_OUT)
        else:
            yield from _of_record(_renamed(record, source.fields) if source.fields else record, name, layout, chats)


def _renamed(record: RawRecord, names: FieldNames) -> RawRecord:
    """Return a record with the fields of Alpaca's layout in place of those that the config names."""
    if record.fields is None:
        return record
    if missing := [name for name in (names.instruction, names.response) if name not in record.fields]:
        there = ", ".join(sorted(map(str, record.fields))[:20]) or "none"
        return RawRecord(record.line, None, f"has no field {missing[0]!r}; its fields are {there}")
    wanted = {"instruction": names.instruction, "output": names.response}
    wanted |= {"input": names.input} if names.input else {}
    wanted |= {"language": names.language} if names.language else {}
    wanted |= {"usage": names.usage} if names.usage else {}
    return RawRecord(record.line, {ours: record.fields.get(theirs) for ours, theirs in wanted.items()})


def _with_layout(
    records: Iterator[RawRecord], place: str, source: CorpusSource, where: ColumnFilter
) -> tuple[Iterator[RawRecord], str]:
    """Tell the layout, and whether the fields to filter by are there, by the first rows; give these back as well."""
    start: list[RawRecord] = []
    fields: set[str] = set()
    layout: str = "alpaca" if source.fields is not None else "" if source.format == "auto" else source.format
    for record in islice(records, _ROWS_TO_TELL_LAYOUT):
        start.append(record)
        if record.fields is not None:
            layout = layout or detect_layout(record.fields) or ""
            fields.update(map(str, record.fields))
            if layout and not where.lacks(fields):
                break
    if not start:
        raise CorpusError(f"{place}: holds no rows; check that it is the right file")
    if fields:
        which = f"none of the first {len(start)} rows" if len(start) == _ROWS_TO_TELL_LAYOUT else "no row"
        where.check(fields, place, which)
    if not layout and fields:
        seen = ", ".join(sorted(fields)[:20])
        raise CorpusError(
            f"{place}: cannot tell the layout from the fields {seen}; say which they are in the source's "
            "fields, set its format, or rename them to instruction and response"
        )
    return chain(start, records), layout or "alpaca"  # where nothing can be read so far, every row will say why


def _of_record(record: RawRecord, name: str, layout: str, chats: Chats) -> Iterator[SourceRow | Rejection]:
    if record.fields is None:
        yield rejected(name, record.line, record.problem, record.reason)
        return
    usage = record.fields.get("usage")
    count = size = 0
    rest = ", so no answer behind that is read"
    try:
        for parts in read_parts(record.fields, layout, chats):
            size += len(parts.instruction) + len(parts.response)  # of all answers: histories grow with their square
            if size > MAX_ROW_BYTES:
                said = f"has {size} characters{' with its histories' + rest if count else ''}"
                yield rejected(name, record.line, said, Reason.TOO_LONG)
                return
            count += 1
            language = language_of_name(parts.language)
            row = source_row(name, record.line, parts.instruction, parts.response, language)
            yield replace(row, usage=usage) if isinstance(usage, str) else row
    except ValueError as error:
        yield rejected(name, record.line, f"{error}{rest if count else ''}")


def _read_hub(name: str, split: str) -> Iterator[RawRecord]:
    from datasets import load_dataset
    from httpx import HTTPError

    try:
        rows = load_dataset(name, split=split, streaming=True)
        for number, fields in enumerate(rows, 1):
            yield RawRecord(number, dict(fields))
    except (OSError, ValueError, RuntimeError, HTTPError) as error:
        raise CorpusError(
            f"{name}: no such file here, and it cannot be read from the HF hub as a data set with split "
            f"{split!r} ({error}); check the spelling, the split and the network"
        ) from error

"""Readers of the original corpus.

Enters: a `CorpusSource`, which names a file of rows, a folder of them or of source code, or a data set on the HF hub.
Leaves: one `SourceRow` after the other, and a `Rejection` with file and line for every row that cannot be read; a
broken row never stops the reading. A multi-turn conversation gives its first question and answer. Rows are streamed, so
memory does not grow with the corpus; one row or source file at a time, of bounded size.

Not guaranteed: that a row is usable; that is the business of `preprocess.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.corpus.json_rows import MAX_ROW_BYTES, RawRecord
from inverse_instruct.corpus.layouts import detect_layout, read_parts
from inverse_instruct.corpus.row_files import is_row_file, read_records
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Reason, Rejection, SourceRow, digest
from inverse_instruct.source_code.fence_labels import language_of_name
from inverse_instruct.source_code.parser_process import ParserFailed, definitions
from inverse_instruct.source_code.source_files import MAX_FILE_BYTES, source_paths
from inverse_instruct.system.hub import hub_problem, is_hub_name

if TYPE_CHECKING:
    from inverse_instruct.config.sections import CorpusSource, FieldNames

STAGE = "preprocess"
_ABOUT_DATA_SETS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
_ROWS_TO_TELL_LAYOUT = 100
_ROWS_TO_CHECK = 1000


def read_source(source: CorpusSource) -> Iterator[SourceRow | Rejection]:
    """Read one source of the corpus row by row, at most `source.limit` rows, broken ones included.

    Raises:
        CorpusError: the source as a whole cannot be read, or its layout cannot be told.
    """
    path = Path(source.path)
    try:
        is_folder, is_elsewhere = path.is_dir(), is_on_hub(source.path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if is_folder:
        rows = _read_folder(path, source)
    elif is_elsewhere:
        rows = _rows(_read_hub(source.path, source.split), source.path, source.path, source)
    else:
        rows = _rows(read_records(path), path.name, str(path), source)
    return islice(rows, source.limit)


def is_on_hub(path: str) -> bool:
    """Tell whether the path of a source is the name of a data set on the hub."""
    return is_hub_name(path) and not Path(path).exists()


def check_there(source: CorpusSource) -> None:
    """See that what a source names is there: here, or on the hub, which is given some seconds to answer.

    Raises:
        CorpusError: it is not.
    """
    path = Path(source.path)
    try:
        there, elsewhere = path.exists(), is_on_hub(source.path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if elsewhere:
        if problem := hub_problem(source.path, "dataset"):  # to read from it would try for half a minute
            raise CorpusError(problem)
    elif not there:
        raise CorpusError(f"{path} does not exist (no such file); paths are relative to the config's folder")


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


def _rows(records: Iterator[RawRecord], name: str, place: str, source: CorpusSource) -> Iterator[SourceRow | Rejection]:
    layout = source.format
    if source.fields is not None:
        renamed = source.fields
        return (_row(_renamed(record, renamed), name, "alpaca") for record in records)
    if layout == "auto":
        records, layout = _with_layout(records, place)  # type: ignore[assignment]
    return (_row(record, name, layout) for record in records)


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


def _with_layout(records: Iterator[RawRecord], place: str) -> tuple[Iterator[RawRecord], str]:
    """Tell the layout by the first rows that can be read; give those rows back as well."""
    start: list[RawRecord] = []
    fields: set[str] = set()
    for record in islice(records, _ROWS_TO_TELL_LAYOUT):
        start.append(record)
        if record.fields is None:
            continue
        if layout := detect_layout(record.fields):
            return chain(start, records), layout
        fields.update(map(str, record.fields))
    if start and not fields:
        return chain(start, records), "alpaca"  # nothing readable so far; every row will say why
    if not start:
        raise CorpusError(f"{place}: holds no rows; check that it is the right file")
    seen = ", ".join(sorted(fields)[:20])
    raise CorpusError(
        f"{place}: cannot tell the layout from the fields {seen}; say which they are in the source's "
        "fields, set its format, or rename them to instruction and response"
    )


def _row(record: RawRecord, name: str, layout: str) -> SourceRow | Rejection:
    if record.fields is None:
        return _rejected(name, record.line, record.problem, record.reason)
    try:
        parts = read_parts(record.fields, layout)
    except ValueError as error:
        return _rejected(name, record.line, str(error))
    size = len(parts.instruction) + len(parts.response)
    if size > MAX_ROW_BYTES:
        return _rejected(name, record.line, f"has {size} characters", Reason.TOO_LONG)
    row = _source_row(name, record.line, parts.instruction, parts.response, language_of_name(parts.language))
    usage = record.fields.get("usage")
    return replace(row, usage=usage) if isinstance(usage, str) else row


def _source_row(name: str, line: int, instruction: str, response: str, language: str | None) -> SourceRow:
    return SourceRow(digest(name, line, instruction, response), name, line, instruction, response, language)


def _rejected(name: str, line: int, problem: str, reason: Reason = Reason.MALFORMED) -> Rejection:
    return Rejection(digest(name, line), STAGE, reason, f"{name}:{line}: {problem}")


def _read_folder(folder: Path, source: CorpusSource) -> Iterator[SourceRow | Rejection]:
    paths = source_paths(folder) if source.format in ("auto", "code") and source.fields is None else iter(())
    first = next(paths, None)
    if first is None:
        shards = _shards(folder) if source.format != "code" else []
        if not shards:
            raise CorpusError(
                f"{folder}: holds no source file of a language that we know, and no file of rows; give a folder of "
                "either, or name a file of rows itself"
            )
        return chain.from_iterable(
            _rows(read_records(path), path.relative_to(folder).as_posix(), str(path), source) for path in shards
        )
    return chain.from_iterable(_read_source_file(path, folder, language) for path, language in chain([first], paths))


def _shards(folder: Path) -> list[Path]:
    """Return the files of rows in a folder, in order; what a data set keeps about itself is not of them."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and is_row_file(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name not in _ABOUT_DATA_SETS
    )


def _read_source_file(path: Path, folder: Path, language: str) -> Iterator[SourceRow | Rejection]:
    name = path.relative_to(folder).as_posix()
    try:
        code = _source_text(path)
    except ValueError as error:
        yield _rejected(name, 1, str(error))
        return
    if code is None:
        yield _rejected(name, 1, f"the file has more than {MAX_FILE_BYTES} bytes", Reason.TOO_LONG)
        return
    try:
        found = definitions(code, language)
    except ParserFailed as error:
        yield _rejected(name, 1, str(error), Reason.PARSER_FAILED)
        return
    for definition in found:
        yield _source_row(name, definition.line, "", definition.code, language)
    if not found:
        yield _rejected(name, 1, "no function or class in this file", Reason.NO_CODE)


def _source_text(path: Path) -> str | None:
    """Return the text of a file with Unix line ends, or None if it is too long.

    Raises:
        ValueError: it cannot be read, or is not text.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig") if len(data) <= MAX_FILE_BYTES else None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid UTF-8 ({error.reason} at byte {error.start})") from error
    if text and "\0" in text:
        raise ValueError("holds a NUL character")
    return text.replace("\r\n", "\n").replace("\r", "\n") if text is not None else None


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

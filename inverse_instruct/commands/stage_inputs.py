"""Files that a person hands to a single stage, as records; a row that does not fit is an error with its place.

Enters: JSON lines, JSON or Parquet, written by our stages or by hand. Leaves: snippets, candidates, rows of one record.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from inverse_instruct.corpus.row_files import read_records
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Candidate, Snippet, digest
from inverse_instruct.source_code.fence_labels import fence_language
from inverse_instruct.source_code.languages import LANGUAGES

Record = TypeVar("Record")


def read_snippets(paths: Sequence[str]) -> list[Snippet]:
    """Read snippets: rows with `code` and, if it is not Python, `language`; each snippet once.

    Raises:
        CorpusError: a row without code, an unknown language, an unreadable file, or no row at all.
    """
    snippets = [_snippet(row, where) for path in paths for where, row in _rows(Path(path))]
    return list({snippet.id: snippet for snippet in snippets}.values())


def read_pairs(paths: Sequence[str], snippets: Sequence[Snippet]) -> list[tuple[Snippet, list[Candidate]]]:
    """Read pairs to be scored, grouped by snippet.

    Args:
        paths: rows with `instruction` and `code`, or candidates of the summarize stage.
        snippets: what candidates refer to by `snippet_id`; candidates keep their ids.

    Raises:
        CorpusError: as for `read_snippets`, or a candidate of an unknown snippet.
    """
    known = {snippet.id: snippet for snippet in snippets}
    groups: dict[str, tuple[Snippet, list[Candidate]]] = {}
    for where, row in ((where, row) for path in paths for where, row in _rows(Path(path))):
        instruction = _text(row, "instruction", where)
        if "code" not in row and "response" not in row and "snippet_id" in row:
            if _text(row, "snippet_id", where) not in known:
                raise CorpusError(
                    f"{where}: belongs to snippet {row['snippet_id']}, which is not known; name the "
                    "snippets.parquet of preprocess with --snippets"
                )
            snippet, candidate = known[row["snippet_id"]], _record(Candidate, row, where)
        else:
            snippet = _snippet(row | {"code": row.get("code", row.get("response")), "id": None}, where)
            candidate = Candidate(
                id=digest(snippet.id, instruction, where),
                snippet_id=snippet.id,
                k=0,
                prefix="",
                instruction=instruction,
                seed=0,
                model="",
                prompt="",
                prompt_tokens=0,
                completion_tokens=0,
            )
        groups.setdefault(snippet.id, (snippet, []))[1].append(candidate)
    return list(groups.values())


def read_written(record: type[Record], path: Path) -> list[Record]:
    """Read rows that one of our stages wrote.

    Raises:
        CorpusError: the file is missing, damaged, or holds other rows.
    """
    return [_record(record, row, where) for where, row in _rows(path)]


def check_training_rows(path: Path) -> None:
    """See that every row has an instruction and a response.

    Raises:
        CorpusError: one has not, or the file cannot be read.
    """
    for where, row in _rows(path):
        _text(row, "instruction", where)
        _text(row, "response", where)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = True
    for record in read_records(path):
        where = f"{path}:{record.line}"
        if record.fields is None:
            raise CorpusError(f"{where}: {record.problem}")
        empty = False
        yield where, record.fields
    if empty:
        raise CorpusError(f"{path}: holds no rows")


def _text(row: dict[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CorpusError(f"{where}: has no text in `{name}`; its fields are {', '.join(row) or 'none'}")
    return value


def _snippet(row: dict[str, Any], where: str) -> Snippet:
    code = _text(row, "code", where)
    language = fence_language(_plain(row, "language") or "python")
    if language not in LANGUAGES:
        raise CorpusError(f"{where}: language {language!r} is not known; known: {', '.join(LANGUAGES)}")
    line = row.get("line")
    return Snippet(
        id=_plain(row, "id") or digest(language, code),
        code=code,
        language=language,
        instruction=_plain(row, "instruction"),
        row_id=_plain(row, "row_id"),
        source=_plain(row, "source") or where,
        line=line if isinstance(line, int) else 0,
        usage=_plain(row, "usage"),
    )


def _plain(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return str(value) if isinstance(value, str | int) else ""


@cache
def _fields(record: Hashable) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(kind) for name, kind in get_type_hints(record).items()}


def _record(record: type[Record], row: dict[str, Any], where: str) -> Record:
    known = _fields(cast(Hashable, record))
    if known.keys() != row.keys():
        raise CorpusError(f"{where}: is no {record.__name__}, whose fields are {', '.join(known)}")
    for name, value in row.items():
        try:
            known[name].validate_python(value, strict=True)
        except ValidationError as error:
            what = error.errors()[0]["msg"].lower()
            raise CorpusError(f"{where}: `{name}` is {type(value).__name__}; {what}") from error
    return record(**row)

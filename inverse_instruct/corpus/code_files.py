"""A file of source code, or a notebook, as rows: one for each function, class or type that it defines.

Enters: a path. Leaves: rows without an instruction, or one rejection that says why there is none. Not guaranteed: that
a row stands alone, see `source_code/source_files.py`; the lines of a notebook are those of its code cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inverse_instruct.corpus.json_rows import MAX_ROW_BYTES
from inverse_instruct.corpus.notebooks import read_notebook
from inverse_instruct.corpus.rows import refuse_damage, rejected, source_row
from inverse_instruct.records import Reason, Rejection, SourceRow
from inverse_instruct.source_code.languages import LANGUAGES, language_of_file
from inverse_instruct.source_code.parser_process import ParserFailed, definitions
from inverse_instruct.source_code.source_files import MAX_FILE_BYTES, NOTEBOOK


def read_code_file(path: Path, name: str) -> Iterator[SourceRow | Rejection]:
    """Yield the definitions of a file.

    Args:
        path: of the file.
        name: what its rows call it.
    """
    is_notebook = path.suffix.lower() == NOTEBOOK
    most = MAX_ROW_BYTES if is_notebook else MAX_FILE_BYTES  # the outputs of a notebook may be long, and are not read
    try:
        code = _read_text(path, most)
        language = language_of_file(path) or ""
        if is_notebook and code is not None:
            code, language = read_notebook(code)
            most = MAX_FILE_BYTES
    except ValueError as error:
        yield rejected(name, 1, str(error))
        return
    if code is None or len(code) > most:
        yield rejected(name, 1, f"the file has more than {most} bytes", Reason.TOO_LONG)
        return
    if language not in LANGUAGES:
        yield rejected(name, 1, f"is a notebook in {language or 'no language'}", Reason.UNSUPPORTED_LANGUAGE)
        return
    try:
        found = definitions(code, language)
    except ParserFailed as error:
        yield rejected(name, 1, str(error), Reason.PARSER_FAILED)
        return
    for definition in found:
        yield source_row(name, definition.line, "", definition.code, language)
    if not found:
        yield rejected(name, 1, "no function or class in this file", Reason.NO_CODE)


def _read_text(path: Path, most: int) -> str | None:
    """Return the text of a file with Unix line ends, or None if it has more than `most` bytes.

    Raises:
        ValueError: it cannot be read, or is not text.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
        text = data.decode("utf-8-sig") if len(data) <= most else None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid UTF-8 ({error.reason} at byte {error.start})") from error
    refuse_damage(text or "")
    return text.replace("\r\n", "\n").replace("\r", "\n") if text is not None else None

"""Jupyter notebooks as source code: their code cells, one below the other.

Enters: the text of a notebook. Leaves: its code and language, or a `ValueError` that says why there is none. Markdown
and outputs are left out, as are, in notebooks of Python, the lines and cells that only IPython understands: magics,
shell commands, questions. Not guaranteed: a line that begins so within a text of a cell that holds a magic, too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from evaluation.syntax import NO_PROGRAM, read_tree
from inverse_instruct.corpus.rows import refuse_damage
from inverse_instruct.source_code.fence_labels import fence_language

_PYTHON_CELL = re.compile(r"%%(?:time|timeit|capture|prun)\b")  # what stands below it is Python
_FOREIGN_CELL = re.compile(r"%%\w")
_FOREIGN_LINE = re.compile(
    r"%{1,2}[a-zA-Z]"  # in the first column alone: elsewhere it may go on with an expression
    r"|\s*!(?!=)"
    r"|[ \t]*[\w., \t]+=[ \t]*(?:!(?!=)|%[a-zA-Z])"
    r"|\s*\?{1,2}\w|\s*[\w.]+\?{1,2}\s*$"
)


def read_notebook(text: str) -> tuple[str, str]:
    """Return the code of a notebook, and what it calls its language, as fences do.

    Raises:
        ValueError: it is no notebook.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not a notebook ({error})") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        old = isinstance(notebook, dict) and "worksheets" in notebook
        remedy = "; convert it with `jupyter nbconvert --to notebook`" if old else ""
        raise ValueError(f"is not a notebook of format 4, for it has no list of cells{remedy}")
    language = _language(notebook.get("metadata"))
    codes = [_source(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    codes = [_plain_python(code) for code in codes] if language == "python" else codes
    code = "\n\n\n".join(filter(str.strip, codes))
    refuse_damage(code)
    return code, language


def _language(metadata: Any) -> str:
    about = metadata if isinstance(metadata, dict) else {}
    for place, name in (("language_info", "name"), ("kernelspec", "language")):
        inner = about.get(place)
        if isinstance(inner, dict) and isinstance(inner.get(name), str):
            return fence_language(inner[name])
    return "python"  # notebooks on the web often say nothing, and it is what most hold


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source")
    parts = source if isinstance(source, list) else [source]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise ValueError("is not a notebook, for the source of a cell is no text")
    return "".join(texts).replace("\r\n", "\n").rstrip("\n")


def _plain_python(code: str) -> str:
    """Return a cell without what only IPython understands; one that is Python as it stands is left as it is."""
    try:
        read_tree(code)
    except NO_PROGRAM:
        lines = code.strip("\n").split("\n")
        if _FOREIGN_CELL.match(lines[0]) and not _PYTHON_CELL.match(lines[0]):
            return ""
        return "\n".join(line for line in lines if not _FOREIGN_LINE.match(line)).strip("\n")
    return code

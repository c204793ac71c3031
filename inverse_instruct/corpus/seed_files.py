"""Edits that a person gives in files.

Enters: a file of rows with `instruction`, `input` and `output`, and if known `scenario`, `intent` and `language`.
Leaves: one `GivenEdit` or rejection for each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.fences import first_block
from inverse_instruct.corpus.edits import Objection
from inverse_instruct.corpus.row_files import read_records
from inverse_instruct.records import Reason
from inverse_instruct.source_code.fence_labels import fence_language


@dataclass(frozen=True, slots=True)
class GivenEdit:
    """One row of a file."""

    instruction: str
    before: str
    after: str
    language: str
    intent: str
    scenario: str


def read_seed_file(path: Path) -> Iterator[tuple[int, GivenEdit | Objection]]:
    """Yield each row's place in the file with its edit, or why it is none.

    Raises:
        CorpusError: the file cannot be read.
    """
    for record in read_records(path):
        yield record.line, (record.reason, record.problem) if record.fields is None else _edit(record.fields)


def _edit(fields: dict[str, Any]) -> GivenEdit | Objection:
    texts = {}
    for name in ("instruction", "input", "output"):
        value = fields.get(name)
        if not isinstance(value, str):
            return Reason.MALFORMED, f"has no text in `{name}`"
        texts[name] = value.replace("\r\n", "\n")
    if not texts["instruction"].strip():
        return Reason.SAYS_NOTHING, "the instruction is empty"
    more = {name: value if isinstance(value := fields.get(name), str) else "" for name in ("scenario", "intent")}
    said = fields.get("language")
    language = fence_language(said if isinstance(said, str) and said else "python")
    before, after = (without_fence(texts[name]) for name in ("input", "output"))
    return GivenEdit(texts["instruction"].strip(), before, after, language, more["intent"], more["scenario"].strip())


def without_fence(text: str) -> str:
    """Return code without the fence around it and the empty lines at its ends."""
    block = first_block(text) if text.lstrip().startswith(("```", "~~~")) else None
    return (block.text if block else text).strip("\n").rstrip()

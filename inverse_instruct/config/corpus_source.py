"""The section of the config on one source of the corpus: what is read, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inverse_instruct.config.outside import Text
from inverse_instruct.config.section import File, Section

CorpusFormat = Literal["auto", "alpaca", "instruction_response", "sharegpt", "messages", "code"]


class FieldNames(Section):
    """Which fields of a row hold what."""

    instruction: Text
    """The instruction."""
    response: Text
    """The response."""
    input: Text | None = None
    """What the instruction is about, if that stands by itself; it is put behind the instruction."""
    language: Text | None = None
    """The programming language, if a field names it."""
    usage: Text | None = None
    """Calls or doctests that show what the code does, if a field holds some; never shown to the model."""


class CorpusSource(Section):
    """One source of the original corpus."""

    path: File
    """File of rows (JSONL, JSON, CSV, TSV, also .gz, .xz, .zst; Parquet, Arrow) or of source code, folder of such
    files, pattern such as `data/train-*.parquet`, folder that `save_to_disk` wrote, or data set name on the HF hub."""
    format: CorpusFormat = "auto"
    """Layout of the rows; `auto` decides by the fields of the first row, `code` is source files, or rows of code."""
    fields: FieldNames | None = None
    """Names of the fields, where no layout has them; null: those of the layout."""
    split: Text | None = None
    """Split to read of a data set, on the hub or saved to disk; null: `train` of the hub, the only one of the disk."""
    where: dict[Text, Annotated[list[str | bool | int | float], Field(min_length=1)]] = {}
    """Fields of the rows as they stand in the file, each with the values of which a row must have one to be read; of a
    field that holds a list one of its values is enough."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the source's rows that is used, drawn by their ids; a smaller share is part of a larger one."""
    limit: int | None = Field(None, ge=1)
    """Read at most this many rows, those that `where` leaves out not counted; null: all."""
    answers: Literal["first", "each"] = "first"
    """Which answers of a conversation are read: the `first` one, or `each`, with what was said before it put in front
    of its question."""
    docstrings: Literal["keep", "usage"] = "keep"
    """What becomes of the docstrings of Python code without an instruction: with `usage` they are taken off it, so that
    the model describes the code itself, and their doctests show how it is used; never shown to the model."""
    system_prompts: Literal["drop", "keep"] = "drop"
    """Whether a system prompt is put in front of the instruction."""

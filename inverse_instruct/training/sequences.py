"""Training rows as token sequences: prompt ids, then response ids, of which only the latter carry loss.

Enters: `TrainingRow` dictionaries and a `PromptFormatter`. Leaves: a `Sequences` with flat arrays, which one file holds
for all ranks. Neither torch nor transformers is imported. Not guaranteed: that a truncated row still ends with the
end-of-response token; it does not, so that the model is not taught to stop in the middle of a program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inverse_instruct.errors import TextError
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.records import Reason, Rejection
from inverse_instruct.store.files import atomic_write

IGNORED = -100  # label of a token without loss
ROWS_AT_ONCE = 256  # tokenized


@dataclass(frozen=True)
class Sequences:
    """All sequences of a phase; sequence `i` is `ids[ends[i - 1]:ends[i]]`."""

    ids: NDArray[np.int32]  # token ids of all sequences, one after the other
    ends: NDArray[np.int64]  # where each sequence ends in `ids`
    prompt_lengths: NDArray[np.int32]  # leading tokens of each sequence that carry no loss
    truncated: int  # sequences that were cut at the end

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.ends)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence."""
        return np.diff(self.ends, prepend=0)

    @property
    def response_lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence that carry loss."""
        return self.lengths - self.prompt_lengths

    def tokens(self, index: int) -> NDArray[np.int64]:
        """Return the token ids of one sequence."""
        start = self.ends[index - 1] if index else 0
        return self.ids[start : self.ends[index]].astype(np.int64)

    def labels(self, index: int) -> NDArray[np.int64]:
        """Return the labels of one sequence: `IGNORED` on the prompt, the token itself on the response."""
        labels = self.tokens(index)
        labels[: self.prompt_lengths[index]] = IGNORED
        return labels

    def save(self, path: Path) -> None:
        """Write everything into one file, atomically."""
        with atomic_write(path, "wb") as stream:
            np.savez(
                stream,
                ids=self.ids,
                ends=self.ends,
                prompt_lengths=self.prompt_lengths,
                truncated=np.array(self.truncated),
            )

    @classmethod
    def load(cls, path: Path) -> Sequences:
        """Read back what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["ids"], arrays["ends"], arrays["prompt_lengths"], int(arrays["truncated"]))


def build_sequences(
    rows: Iterable[dict[str, Any]], formatter: PromptFormatter, max_length: int
) -> tuple[Sequences, list[Rejection]]:
    """Turn rows into sequences of at most `max_length` tokens, cut at the end (InverseCoder section 4.1).

    Rows with an empty response, rows whose prompt leaves no room for a response token, and rows that the tokenizer
    cannot take are rejected.
    """
    ids: list[NDArray[np.int32]] = []
    prompt_lengths: list[int] = []
    rejections: list[Rejection] = []
    truncated = 0
    for row, found in _with_ids(rows, formatter):
        if not row["response"].strip():
            rejections.append(Rejection(row["id"], "train", Reason.EMPTY, "no response"))
            continue
        if isinstance(found, TextError):
            rejections.append(Rejection(row["id"], "train", Reason.PARSER_FAILED, str(found)))
            continue
        prompt, response = found
        if len(prompt) >= max_length:
            rejections.append(Rejection(row["id"], "train", Reason.TOO_LONG, f"a prompt of {len(prompt)} tokens"))
            continue
        truncated += len(prompt) + len(response) > max_length
        ids.append(np.array([*prompt, *response][:max_length], dtype=np.int32))
        prompt_lengths.append(len(prompt))
    ends = np.cumsum([len(sequence) for sequence in ids], dtype=np.int64)
    flat = np.concatenate(ids) if ids else np.zeros(0, np.int32)
    return Sequences(flat, ends, np.array(prompt_lengths, dtype=np.int32), truncated), rejections


def _with_ids(
    rows: Iterable[dict[str, Any]], formatter: PromptFormatter
) -> Iterator[tuple[dict[str, Any], tuple[list[int], list[int]] | TextError]]:
    """Yield rows with the ids of their prompt and response, or with why there are none."""
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield from zip(some, _ids(some, formatter), strict=True)


def _ids(rows: list[dict[str, Any]], formatter: PromptFormatter) -> list[tuple[list[int], list[int]] | TextError]:
    try:
        return [*formatter.training_rows([(row["instruction"], row["response"]) for row in rows])]
    except TextError as error:
        if len(rows) == 1:
            return [error]
        return [found for row in rows for found in _ids([row], formatter)]

"""The rows of a round in which rows are made in several steps: each once, with what became of it and its way back.

A row is selected, rejected with a reason, used for later rows, or kept: not decided yet, or nothing was made of it.
What a stage rejected before it was a row has no more than the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from inverse_instruct.records import Draft, Rejection, Snippet, TrainingRow
from inverse_instruct.store.row_file import Floats, Mask, RowFile
from inverse_instruct.store.written_rows import Ancestor, WrittenFile, follow_back

SELECTED, USED, KEPT = "selected", "used", "kept"
TEXTS = {
    Snippet: ("code", "instruction", "source"),
    Draft: ("instruction", "input", "response", "detail"),
    TrainingRow: ("instruction", "response", "source"),
}


class DraftIndex:
    """Rows are those of the files in the order of the stages; one that several stages wrote stands at the last."""

    def __init__(self, files: Sequence[WrittenFile], number: int) -> None:
        """Read ids, scores and reasons; no texts.

        Args:
            files: of the whole run, as rows are followed back through it.
            number: the round.
        """
        self._files, self._number = files, number
        own = [file for file in files if file.round == number]
        kept = [file for file in own if file.kept]
        made = [file for file in kept if file.record in (Snippet, Draft)]  # what training rows are made of
        self._kept = made or [file for file in kept if file.record is TrainingRow]
        self._rejections = [file.rows for file in own if file.record is Rejection]
        reasons = dict(_reasons(self._rejections))
        chosen = [file for file in kept if file.record is TrainingRow][-1:]  # a review leaves rows out once more
        selected = set(_values(chosen, TrainingRow, "candidate_id" if made else "id"))
        used = {parent for parents in _values(own, Draft, "parents") for parent in parents}
        places = {
            name: (part, at)
            for part, file in enumerate(self._kept)
            for at, name in enumerate(file.rows.columns("id")["id"].to_pylist())
        }
        self._ids = [*places, *(name for name in reasons if name not in places)]
        self._places = list(places.values())
        self._details = [reasons.get(name, ("", -1, -1)) for name in self._ids]
        self._outcomes: NDArray[np.str_] = np.array(
            [
                SELECTED if name in selected else reason or (USED if name in used else KEPT)
                for name, (reason, _, _) in zip(self._ids, self._details, strict=True)
            ],
            np.str_,
        )
        self.total = len(self._ids)
        names, counts = np.unique(self._outcomes, return_counts=True)
        self.outcomes = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
        self.scores = self._read_scores()
        self.holding = lru_cache(maxsize=8)(self._holding)

    def _read_scores(self) -> Floats:
        columns = [
            np.asarray(file.rows.columns("lm_score")["lm_score"].to_numpy(), np.float64)
            if file.record is not Snippet
            else np.full(file.rows.count(), np.nan)
            for file in self._kept
        ]
        found = [columns[part][at] for part, at in self._places]
        return np.array([*found, *[np.nan] * (self.total - len(found))], np.float64)

    def having(self, outcome: str) -> Mask:
        """Tell for each row whether it has the outcome."""
        return np.asarray(self._outcomes == outcome)

    def named(self, name: str) -> Mask:
        """Tell for each row whether it has the id."""
        return np.asarray(np.array(self._ids, np.str_) == name)

    def _holding(self, text: str) -> Mask:
        rows = [set(file.rows.matches(text, *TEXTS[file.record]).tolist()) for file in self._kept]
        said = [set(file.matches(text, "detail", "row_id").tolist()) for file in self._rejections]
        mask = np.zeros(self.total, bool)
        mask[: len(self._places)] = [at in rows[part] for part, at in self._places]
        mask |= np.array([part >= 0 and at in said[part] for _, part, at in self._details], bool)
        return mask

    def read(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Return rows with their texts and their way back, in the order asked for."""
        rows = {number: self._row(*self._places[number]) for number in numbers if number < len(self._places)}
        lost = {number: self._rejection(number) for number in numbers if number not in rows}
        ways = follow_back(
            [*(row for _, row in rows.values()), *filter(None, lost.values())], self._files, self._number
        )
        plain = {number: self._plain(*found) for number, found in rows.items()}
        plain |= {number: _unknown(self._ids[number]) for number in lost}
        return [
            {
                **plain[number],
                "ancestors": list(map(_ancestor, ways[self._ids[number]])),
                **self._decision(self._rejection(number)),
                "outcome": str(self._outcomes[number]),
            }
            for number in numbers
        ]

    def _row(self, part: int, at: int) -> tuple[str, Snippet | Draft | TrainingRow]:
        file = self._kept[part]
        row = file.record(**file.rows.rows([at])[at])
        assert isinstance(row, Snippet | Draft | TrainingRow)
        return file.stage, row

    def _rejection(self, number: int) -> Rejection | None:
        _, part, at = self._details[number]
        return Rejection(**self._rejections[part].rows([at])[at]) if part >= 0 else None

    @staticmethod
    def _decision(rejection: Rejection | None) -> dict[str, str]:
        return {
            "rejected_by": rejection.stage if rejection else "",
            "detail": rejection.detail if rejection else "",
        }

    @staticmethod
    def _plain(stage: str, row: Snippet | Draft | TrainingRow) -> dict[str, Any]:
        if isinstance(row, Snippet):
            own: dict[str, Any] = {
                "code": row.code,
                "input": "",
                "task": "",
                "score": None,
                "model": "",
                "seed": None,
                "said": "",
            }
            place: dict[str, Any] = {"row_id": row.row_id, "source": row.source, "line": row.line}
        elif isinstance(row, TrainingRow):
            own = {"code": row.response, "input": "", "task": "", "score": row.lm_score}
            own |= {"model": row.model, "seed": None, "said": ""}
            place = {"row_id": row.row_id, "source": row.source, "line": row.line}
        else:
            own = {"code": row.response, "input": row.input, "task": row.task, "score": row.lm_score}
            own |= {"model": row.model, "seed": row.seed, "said": row.detail}
            place = {"row_id": row.id, "source": None, "line": None}
        about = {"id": row.id, "language": row.language, "instruction": row.instruction, "stage": stage}
        return {**about, **own, **place, "candidates": None}


def _reasons(files: Sequence[RowFile]) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """Yield row id -> why it was rejected, and where that stands."""
    for part, file in enumerate(files):
        table = file.columns("row_id", "reason")
        for at, (name, reason) in enumerate(zip(*(table[key].to_pylist() for key in table.column_names), strict=True)):
            yield name, (reason, part, at)


def _values(files: Sequence[WrittenFile], record: type, column: str) -> list[Any]:
    return [
        value
        for file in files
        if file.record is record
        for value in pc.drop_null(file.rows.columns(column)[column]).to_pylist()
    ]


def _unknown(name: str) -> dict[str, Any]:
    """Return a row of which nothing is left but why it was rejected."""
    empty = dict.fromkeys(("code", "language", "source", "line", "score", "seed", "candidates"))
    return {"id": "", "row_id": name, "instruction": "", "input": "", "task": "", **empty}


def _ancestor(ancestor: Ancestor) -> dict[str, Any]:
    row = ancestor.row
    text = row.code if isinstance(row, Snippet) else row.instruction if isinstance(row, Draft) else ""
    place = f"{row.source}:{row.line}" if isinstance(row, Snippet) else ""
    return {"round": ancestor.round, "stage": ancestor.stage, "text": text, "place": place}

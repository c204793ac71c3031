"""The rows of a self-training round: every snippet with all the instructions that were written for it.

Each wanted candidate is there once: selected, rejected by summarize, score or selection, or not decided yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from inverse_instruct.records import Candidate, Record, Rejection, ScoredPair, Snippet, TrainingRow, Verdict
from inverse_instruct.store.row_file import Floats, Mask, Numbers, RowFile
from inverse_instruct.store.seeds import sampling_seed
from inverse_instruct.store.written_rows import WrittenFile

SELECTED = "selected"
UNDECIDED = "undecided"


class CandidateIndex:
    """Rows are the snippets of the corpus; `_snippet`, `_file`, `_row` and so on have an entry per candidate."""

    def __init__(self, files: Sequence[WrittenFile], number: int, run_seed: int) -> None:
        """Read ids, scores and reasons; no texts.

        Args:
            files: of the run, those that there are by now.
            number: the round.
            run_seed: the seed of the run.
        """
        self._run_seed, self._round = run_seed, number
        own = [file for file in files if file.round == number]
        written = rows_of([file for file in own if file.kept], Candidate)
        writer = next((file.stage for file in own if file.record is Candidate), "")
        rejections = [file for file in own if file.record is Rejection]
        self._snippets = rows_of([file for file in files if file.kept], Snippet)
        self._files = [written, rows_of([file for file in rejections if file.stage == writer], Rejection)]
        self._decisions = _decisions(
            rows_of([file for file in own if file.kept], TrainingRow),
            [file.rows for file in rejections if file.stage != writer],
        )
        candidates = self._files[0].columns("id", "snippet_id")
        rejected = self._files[1].columns("row_id", "reason")
        owners = pc.replace_substring_regex(rejected["row_id"], r"/\d+$", "")
        ids = self._snippets.columns("id")["id"]
        self._snippet = np.concatenate([_numbers(candidates["snippet_id"], ids), _numbers(owners, ids)])
        self._file = np.repeat([0, 1], [len(candidates), len(rejected)])
        self._row = np.concatenate([np.arange(len(candidates)), np.arange(len(rejected))])
        self._decision = _numbers(candidates["id"], self._decisions["id"])
        self._verdicts = rows_of(own, Verdict).columns("candidate_id", "state", "detail")
        self._verdict = _numbers(candidates["id"], self._verdicts["candidate_id"])
        self._outcome = np.concatenate(
            [
                _texts(pc.fill_null(_taken(self._decisions["outcome"], self._decision), UNDECIDED)),
                _texts(rejected["reason"]),
            ]
        )
        before = [file for file in files if file.kept and file.round < number]
        self._earlier = _numbers(candidates["id"], rows_of(before, Candidate).columns("id")["id"]) >= 0
        self._score = np.concatenate(
            [_scores(candidates["id"], rows_of(own, ScoredPair)), np.full(len(rejected), np.nan)]
        )
        self._summarize(len(ids))
        self.holding = lru_cache(maxsize=8)(self._holding)

    def _summarize(self, snippets: int) -> None:
        """Gather by snippet."""
        self.total = snippets
        self._entries = np.argsort(self._snippet, kind="stable")  # entries of one snippet lie together
        self._starts = np.searchsorted(self._snippet[self._entries], np.arange(snippets + 1))
        self.scores: Floats = np.full(snippets, np.nan)
        np.fmax.at(self.scores, self._snippet, self._score)
        names, counts = np.unique(self._outcome, return_counts=True)
        self.outcomes = {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def having(self, outcome: str) -> Mask:
        """Tell for each snippet whether a candidate of it has the outcome."""
        mask = np.zeros(self.total, bool)
        mask[self._snippet[self._outcome == outcome]] = True
        return mask

    def named(self, name: str) -> Mask:
        """Tell for each snippet whether it, or one of its candidates, has the id."""
        mask = np.zeros(self.total, bool)
        mask[_hits(self._snippets, "id", name)] = True
        for file, column in enumerate(("id", "row_id")):
            rows = _hits(self._files[file], column, name)
            mask[self._snippet[(self._file == file) & np.isin(self._row, rows)]] = True
        return mask

    def _holding(self, text: str) -> Mask:
        mask = np.zeros(self.total, bool)
        mask[self._snippets.matches(text, "code", "source")] = True
        for file, column in enumerate(("instruction", "detail")):
            hit = np.zeros(self._files[file].count(), bool)
            hit[self._files[file].matches(text, column)] = True
            mask[self._snippet[self._file == file][hit]] = True
        return mask

    def read(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Return snippets with their candidates, in the order asked for."""
        entries = {number: self._entries[self._starts[number] : self._starts[number + 1]] for number in numbers}
        every = np.concatenate([*entries.values(), np.zeros(0, np.int64)]).astype(np.int64)
        texts = [
            file.rows(self._row[every[self._file[every] == kind]].tolist()) for kind, file in enumerate(self._files)
        ]
        snippets = self._snippets.rows(numbers)
        return [
            snippets[number]
            | {
                "candidates": sorted(
                    (self._candidate(int(entry), texts) for entry in entries[number]),
                    key=lambda candidate: (candidate["earlier"], candidate["k"]),
                )
            }
            for number in numbers
        ]

    def _candidate(self, entry: int, texts: list[dict[int, dict[str, Any]]]) -> dict[str, Any]:
        row = texts[self._file[entry]][int(self._row[entry])]
        outcome, score = str(self._outcome[entry]), float(self._score[entry])
        if self._file[entry] == 1:
            snippet_id, _, k = row["row_id"].rpartition("/")
            return {
                "id": row["row_id"],
                "k": int(k),
                "earlier": False,
                "stage": row["stage"],
                "outcome": outcome,
                "score": None,
                "text": row["detail"],
                "detail": "",
                "seed": sampling_seed(self._run_seed, self._round, snippet_id, int(k)),
            }
        decision, verdict = (int(found[self._row[entry]]) for found in (self._decision, self._verdict))
        detail = self._decisions["detail"][decision].as_py() if decision >= 0 else ""
        if verdict >= 0 and not detail:
            detail = f"{self._verdicts['state'][verdict]}: {self._verdicts['detail'][verdict]}"
        return {
            "id": row["id"],
            "k": row["k"],
            "earlier": bool(self._earlier[self._row[entry]]),
            "outcome": outcome,
            "score": None if np.isnan(score) else score,
            "text": row["instruction"],
            "stage": self._decisions["stage"][decision].as_py() if decision >= 0 else "",
            "detail": detail,
            **{name: row[name] for name in ("prefix", "seed", "model", "prompt", "prompt_tokens", "completion_tokens")},
        }


def rows_of(files: Sequence[WrittenFile], record: type[Record]) -> RowFile:
    """Return the last file of such rows; one without rows where there is none yet."""
    return RowFile(next((file.path for file in reversed(files) if file.record is record), None))


def _hits(file: RowFile, column: str, name: str) -> Numbers:
    """Return the numbers of the rows that have an id."""
    return np.flatnonzero(pc.equal(file.columns(column)[column], name))


def _decisions(selected: RowFile, rejections: list[RowFile]) -> pa.Table:
    """Return id, outcome, stage and detail of every candidate that scoring or selection decided on."""
    ids = selected.columns("candidate_id")["candidate_id"]
    parts = [
        pa.table(
            {
                "id": ids,
                "outcome": pa.array([SELECTED] * len(ids), pa.string()),
                "stage": pa.array(["selection"] * len(ids), pa.string()),
                "detail": pa.array([""] * len(ids), pa.string()),
            }
        )
    ]
    for file in rejections:
        table = file.columns("row_id", "reason", "stage", "detail")
        parts.append(table.rename_columns(["id", "outcome", "stage", "detail"]))
    return pa.concat_tables(part.select(["id", "outcome", "stage", "detail"]) for part in parts).combine_chunks()


def _scores(ids: Any, file: RowFile) -> Floats:
    table = file.columns("candidate_id", "lm_score")
    scores = _taken(table["lm_score"], _numbers(ids, table["candidate_id"]))
    return np.asarray(pc.cast(scores, pa.float64()).to_numpy(zero_copy_only=False), np.float64)  # null becomes NaN


def _taken(values: Any, numbers: Numbers) -> Any:
    """Return the values at those places, null where the number is -1."""
    return values.take(pa.array(numbers, mask=numbers < 0))


def _numbers(values: Any, among: Any) -> Numbers:
    """Return where each value stands in `among`; -1 where it does not."""
    found = pc.fill_null(pc.index_in(values, value_set=among), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _texts(values: Any) -> NDArray[np.str_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), np.str_)

"""Where a text holds code of a benchmark, with the same names or others, and how telling that is.

Enters: the tasks of benchmarks, then one text after the other. Leaves: for each task of which a text holds a whole
piece of code, the bits that say so. A piece is a solution or a prompt; it is whole if `_WHOLE` of its tokens are there,
in order. Runs of tokens that many tasks of one file share, or that are idioms, are boilerplate and count for nothing.
Not guaranteed: that code is found which was rewritten, or put in another order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.texts import TaskTexts
from inverse_instruct.corpus.code_tokens import Code, read_code, without_comments
from inverse_instruct.corpus.shingles import rolling_hashes
from inverse_instruct.corpus.telling import Telling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RUN = 12  # tokens; shorter pieces tell nothing
_MAX_SHARING = 10
_WHOLE = 0.92
_TABLE = 1 << 22  # of what may be there; a look into it is cheaper than a search
_HALF_SHIFT = 1 << 31  # alignments are numbers of pieces and shifts, which may be below 0, in one
_PART = 1 / 3  # what the bits of a part are worth, in those of a whole piece
_PART_TOKENS = 48  # shorter parts tell nothing


@dataclass(frozen=True, slots=True)
class _Piece:
    task: str
    code: Code
    start: int  # among the tokens of all pieces
    telling: int  # tokens that are not boilerplate


class CodeIndex:
    """The code of benchmarks, ready to be looked for in many texts."""

    def __init__(self, files: Iterable[Sequence[TaskTexts]], idioms: Iterable[str], telling: Telling) -> None:
        """Index the code of all tasks, file by file, without what is an idiom."""
        import numpy as np

        self._telling = telling
        self._pieces: list[_Piece] = []
        everyday = np.concatenate([_none(), *(rolling_hashes(read_code(idiom).kinds, _RUN) for idiom in idioms)])
        hashes, places = [_none()], [np.empty(0, dtype=np.int64)]
        start = 0
        for tasks in files:
            codes = [(task.task, code) for task in tasks for code in _codes(task)]
            runs = [rolling_hashes(code.kinds, _RUN) for _, code in codes]
            boilerplate = np.concatenate([everyday, _boilerplate([task for task, _ in codes], runs)])
            telling_runs = ~np.isin(np.concatenate([_none(), *runs]), boilerplate)
            ends: list[int] = np.cumsum([len(found) for found in runs])[:-1].tolist() if runs else []
            for (task, code), found, kept in zip(codes, runs, np.split(telling_runs, ends), strict=bool(runs)):
                rare = np.flatnonzero(kept)
                hashes.append(found[rare])
                places.append(rare + start)
                self._pieces.append(_Piece(task, code, start, len(_covered(rare))))
                start += len(code.tokens)
        order = np.argsort(np.concatenate(hashes), kind="stable")
        self._hashes, self._places = np.concatenate(hashes)[order], np.concatenate(places)[order]
        self._maybe = np.zeros(_TABLE, dtype=bool)
        self._maybe[self._hashes & np.uint64(_TABLE - 1)] = True
        self._starts = np.array([piece.start for piece in self._pieces], dtype=np.int64)
        tokens = np.array([min(_PART_TOKENS, _WHOLE * piece.telling) for piece in self._pieces])
        self._fewest = np.maximum(tokens / _RUN, tokens - 2 * (_RUN - 1))  # runs: of one gap at most

    def evidence(self, text: str) -> dict[str, float]:
        """Return the tasks of which the text holds code, and the bits of the most telling piece of each."""
        found: dict[str, float] = defaultdict(float)
        for reading in dict.fromkeys((without_comments(text), text)):
            code = read_code(reading)
            for piece, tokens in self._matches(code):
                found[piece.task] = max(found[piece.task], self._bits(piece, tokens))
        return found

    def _matches(self, code: Code) -> Iterator[tuple[_Piece, dict[int, str]]]:
        """Yield pieces, and the tokens of the text that lie on theirs in runs that both have, by place in the piece."""
        import numpy as np

        runs = rolling_hashes(code.kinds, _RUN)
        hits = np.flatnonzero(self._maybe[runs & np.uint64(_TABLE - 1)])
        low = np.searchsorted(self._hashes, runs[hits], "left")
        times = np.searchsorted(self._hashes, runs[hits], "right") - low
        values, counts = np.unique(runs[hits], return_counts=True)
        times[np.isin(runs[hits], values[counts > _MAX_SHARING])] = 0
        if not times.any():
            return
        hit = np.repeat(hits, times)
        place = self._places[np.repeat(low - np.cumsum(times) + times, times) + np.arange(len(hit))]
        number = np.searchsorted(self._starts, place, "right") - 1
        alignment = (number << 32) + place - self._starts[number] - hit
        found, which, runs_of = np.unique(alignment, return_inverse=True, return_counts=True)
        numbers = (found + _HALF_SHIFT) >> 32
        for index in np.flatnonzero(runs_of >= self._fewest[numbers]).tolist():
            piece = self._pieces[numbers[index]]
            shift = int(found[index] - (numbers[index] << 32))
            there = _covered(hit[which == index])
            yield piece, {place + shift: code.tokens[place] for place in there[_same_names(piece, code, there, shift)]}

    def _bits(self, piece: _Piece, found: dict[int, str]) -> float:
        whole = len(found) >= _WHOLE * piece.telling
        if not whole and len(found) < _PART_TOKENS:
            return 0.0
        places = sorted(found)
        kept = [found[place] == piece.code.tokens[place] for place in places]
        return self._telling.of_code(piece.code.part(places), kept) * (1 if whole else _PART)


def _codes(task: TaskTexts) -> list[Code]:
    """Return the code of a task, as it is and without comments; what is too short to tell anything is left out."""
    readings = dict.fromkeys(reading for text in task.code for reading in (without_comments(text), text))
    return [code for code in map(read_code, readings) if len(code.tokens) >= _RUN]


def _covered(runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the tokens in some runs, given by where they begin."""
    import numpy as np

    return np.unique(runs[:, None] + np.arange(_RUN))


def _same_names(piece: _Piece, code: Code, there: NDArray[np.int64], shift: int) -> NDArray[np.bool_]:
    """Tell for places of the text whether their names stand where the piece has one and the same, whatever it is."""
    ours, theirs = piece.code.back[there + shift], code.back[there]
    reach = there - there[0]
    return (ours == theirs) | ((ours > reach) & (theirs > reach))  # type: ignore[no-any-return]


def _boilerplate(tasks: Sequence[str], runs: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the runs that more than `_MAX_SHARING` tasks share, or that one piece holds as often.

    Args:
        tasks: whose code it is, for each piece of code.
        runs: of each piece.
    """
    import numpy as np

    by_task: dict[str, list[NDArray[np.uint64]]] = defaultdict(list)
    repeated = [_none()]
    for task, found in zip(tasks, runs, strict=True):
        values, counts = np.unique(found, return_counts=True)
        by_task[task].append(values)
        repeated.append(values[counts > _MAX_SHARING])
    distinct = [np.unique(np.concatenate(values)) for values in by_task.values()]
    values, counts = np.unique(np.concatenate([_none(), *distinct]), return_counts=True)
    return np.concatenate([values[counts > _MAX_SHARING], *repeated])


def _none() -> NDArray[np.uint64]:
    import numpy as np

    return np.empty(0, dtype=np.uint64)

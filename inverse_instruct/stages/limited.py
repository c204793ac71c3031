"""At most so many training rows of a round: a drawing that no score takes part in.

Enters: the rows that a selection would keep. Leaves: those that it keeps, and rejections. A larger limit keeps what a
smaller one does. Not guaranteed: that the rows are the best ones; `selection.min_score` asks for good ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from inverse_instruct.records import Reason, Rejection, TrainingRow, digest


def limit_rows(rows: Sequence[TrainingRow], limit: int | None, seed: int) -> tuple[list[TrainingRow], list[Rejection]]:
    """Split rows, in their order, into those that are drawn and rejections of the candidates of the others.

    Args:
        rows: of one round.
        limit: how many are drawn; None: all.
        seed: of the round's selection.
    """
    if limit is None or len(rows) <= limit:
        return list(rows), []
    drawn = set(sorted((row.id for row in rows), key=lambda name: digest("limit", seed, name))[:limit])
    detail = f"selection.limit is {limit} of {len(rows)}"
    return [row for row in rows if row.id in drawn], [
        Rejection(row.candidate_id, "selection", Reason.NOT_SELECTED, detail) for row in rows if row.id not in drawn
    ]

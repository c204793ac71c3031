"""Selected rows without those that a person has left out.

Enters: selected rows, and what a person has decided about them. Leaves: `selected.parquet` (one row in is one selected
row) and `rejections.parquet`, which names who left a row out, when and why.
"""

from __future__ import annotations

import time

from inverse_instruct.records import Reason, Rejection, TrainingRow, rows_digest
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Rows, Stage

SELECTED = Rows("selected.parquet", TrainingRow)


def review(room: Room) -> None:
    """Let go on what nobody has left out."""
    decided = room.review
    day = time.strftime("%Y-%m-%d", time.gmtime(decided.time))
    detail = f"by {decided.author} on {day}: {decided.reason or 'no reason given'}"
    left_out = set(decided.left_out)
    scores, snippets, ids = [], set(), []
    for row in room.read("selected"):
        if row.name in left_out:
            room.reject(Rejection(row.name, room.stage.name, Reason.LEFT_OUT, detail))
            continue
        room.keep(row)
        ids.append(row.id)
        snippets |= {row.snippet_id} - {""}
        scores += [] if row.lm_score is None else [row.lm_score]
    room.metrics |= {
        "mean_lm_score": sum(scores) / len(scores) if scores else None,
        "snippets": len(snippets),
        "rows": rows_digest(ids),
        "author": decided.author,
        "reason": decided.reason,
    }


REVIEW = Stage(
    "review",
    "leave out the rows that a person has left out",
    review,
    unit="training row",
    writes=SELECTED,
    reads={"selected": Input("selection", SELECTED)},
    waits_for="selected",
)

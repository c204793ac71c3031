"""Original instructions with their clean code: the ablation without any self-written row (InverseCoder, table 6).

Enters: snippets. Leaves: `selected.parquet` (one row in is one snippet) and `rejections.parquet`; a snippet of plain
source code has no instruction. No model is asked, and what is kept was decontaminated with the corpus.
"""

from __future__ import annotations

from inverse_instruct.errors import StageError
from inverse_instruct.records import Reason, Rejection, Snippet, TrainingRow, digest, rows_digest
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.snippets import SECTIONS, snippets_of
from inverse_instruct.stages.stage import Input, Rows, Stage, When

SELECTED = Rows("selected.parquet", TrainingRow)


def pair(room: Room) -> None:
    """Put each snippet behind its original instruction.

    Raises:
        StageError: there are no instructions.
    """
    seen = {row.id for row in room.read("earlier")}
    ids = []
    for snippet in snippets_of(room):
        response = f"```{snippet.language}\n{snippet.code}\n```"
        row_id = digest(snippet.instruction, response)
        if not snippet.instruction.strip():
            room.reject(Rejection(snippet.id, "selection", Reason.EMPTY, "plain source code, without an instruction"))
        elif row_id in seen:
            room.reject(Rejection(snippet.id, "selection", Reason.EXACT_DUPLICATE, row_id))
        else:
            ids.append(row_id)
            room.keep(
                TrainingRow(
                    id=row_id,
                    instruction=snippet.instruction,
                    response=response,
                    language=snippet.language,
                    round=room.place.round,
                    snippet_id=snippet.id,
                    candidate_id="",
                    lm_score=None,
                    row_id=snippet.row_id,
                    source=snippet.source,
                    line=snippet.line,
                    model="",
                )
            )
    if not ids and not seen:
        raise StageError("the corpus holds no instruction, and no row but its own is made; give one of instructions")
    room.metrics |= {"mean_lm_score": None, "snippets": len(ids), "rows": rows_digest(ids)}


PAIR = Stage(
    "selection",
    "put the clean code of a corpus behind its original instructions",
    pair,
    unit="training row",
    writes=SELECTED,
    reads={
        "snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE),
        "earlier": Input("selection", SELECTED, When.EARLIER),
    },
    sections=SECTIONS,
    command="pair",
)

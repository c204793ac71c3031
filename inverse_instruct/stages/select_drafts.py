"""Drafts to training rows, for the recipes whose rows are made in several steps.

Enters: drafts, and for some recipes the snippets that they were made from. Leaves: `selected.parquet` (one row in is
one draft) and `rejections.parquet`. The order of the input does not matter: ties are broken by the draft's id. Drafts
that were made for the same task from the same rows compete by their LM-Score, as `selection` says; those without a
score do not compete. What a row says is put together by two templates, so an input is part of the instruction. Rows are
decontaminated like the corpus was.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial

from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.config.sections import RunConfig, SelectionSection
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, Snippet, TrainingRow, digest, rows_digest
from inverse_instruct.stages.limited import limit_rows
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Rows, Stage, When

SELECTED = Rows("selected.parquet", TrainingRow)
SNIPPETS = Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE)


def selection_of(drafts: str, command: str, does: str, *, template: str = "draft", snippets: bool = False) -> Stage:
    """Return the selection of a recipe.

    Args:
        drafts: the stage whose `drafts.parquet` is read.
        command: its name on the command line.
        does: what it does, as the help of its command says it.
        template: `NAME-instruction.jinja` and `NAME-response.jinja` make the two sides of a row.
        snippets: whether the first parents are snippets, so that a row is followed back to the corpus.
    """
    reads = {
        "drafts": Input(drafts, Rows("drafts.parquet", Draft)),
        "earlier": Input("selection", SELECTED, When.EARLIER),
    }
    return Stage(
        "selection",
        does,
        partial(select_drafts, template=template),
        unit="training row",
        writes=SELECTED,
        reads=reads | ({"snippets": SNIPPETS} if snippets else {}),
        sections=("kept_out", "preprocess.ngram"),
        outside=partial(_outside, template),
        command=command,
        if_empty=f"look at what `{drafts}` rejected, and start another --run-dir with other settings",
    )


def select_drafts(room: Room, template: str) -> None:
    """Choose the training rows of a round."""
    chosen, rejections = choose(room.section(), room.read("drafts"), room)
    benchmarks = BenchmarkIndex(read_kept_out(room.section("kept_out")), room.section("preprocess.ngram"))
    seen = {row.id for row in room.read("earlier")}
    snippet_of = _snippets(room, {draft.parents[0] for draft in chosen if draft.parents})
    sides = _sides(template)
    kept, task_of = [], {}
    for draft in chosen:
        row = _training_row(draft, sides, snippet_of, room.place.round)
        if task := benchmarks.match(row.instruction, row.response):
            rejections.append(Rejection(draft.id, "selection", Reason.CONTAMINATED, task))
        elif row.id in seen:
            rejections.append(Rejection(draft.id, "selection", Reason.EXACT_DUPLICATE, row.id))
        else:
            seen.add(row.id)
            kept.append(row)
            task_of[row.id] = draft.task
    kept, beyond = limit_rows(kept, room.section().limit, room.seed("selection"))
    for row in kept:
        room.keep(row)
    for rejection in [*rejections, *beyond]:
        room.reject(rejection)
    scores = [row.lm_score for row in kept if row.lm_score is not None]
    room.metrics |= {
        "mean_lm_score": sum(scores) / len(scores) if scores else None,
        "snippets": len({row.snippet_id for row in kept if row.snippet_id}),
        "tasks": dict(sorted(Counter(task_of[row.id] for row in kept).items())),
        "rows": rows_digest([row.id for row in kept]),
    }


def choose(section: SelectionSection, drafts: Iterable[Draft], room: Room) -> tuple[list[Draft], list[Rejection]]:
    """Split drafts into chosen ones, in the order of their ids, and rejections."""
    rivals: dict[tuple[str, ...], list[Draft]] = defaultdict(list)
    chosen, rejections = [], []
    for draft in drafts:
        if draft.lm_score is None:
            chosen.append(draft)
        elif draft.lm_score < section.min_score:
            detail = f"{draft.lm_score:.4f} < {section.min_score}"
            rejections.append(Rejection(draft.id, "selection", Reason.BELOW_MINIMUM, detail))
        else:
            rivals[(draft.task, *draft.parents)].append(draft)
    for group in rivals.values():
        ranked = sorted(group, key=lambda draft: (-(draft.lm_score or 0.0), draft.id))
        if section.method == "random":
            random.Random(room.seed("selection", *sorted(draft.id for draft in ranked))).shuffle(ranked)
        count = {"best": 1, "random": 1, "top_k": section.k, "threshold": len(ranked)}[section.method]
        chosen += ranked[:count]
        for place, draft in enumerate(ranked[count:], count + 1):
            detail = f"place {place} of {len(ranked)} with {draft.lm_score:.4f}"
            rejections.append(Rejection(draft.id, "selection", Reason.NOT_SELECTED, detail))
    return sorted(chosen, key=lambda draft: draft.id), sorted(rejections, key=lambda rejection: rejection.row_id)


def _snippets(room: Room, wanted: set[str]) -> Mapping[str, Snippet]:
    if "snippets" not in room.stage.reads:
        return {}
    return {snippet.id: snippet for snippet in room.read("snippets") if snippet.id in wanted}


def _sides(template: str) -> tuple[PromptTemplate, PromptTemplate]:
    return PromptTemplate(f"{template}-instruction"), PromptTemplate(f"{template}-response")


def _training_row(
    draft: Draft, sides: tuple[PromptTemplate, PromptTemplate], snippet_of: Mapping[str, Snippet], round_number: int
) -> TrainingRow:
    instruction, response = (
        side.render(
            task=draft.task,
            instruction=draft.instruction,
            input=draft.input,
            response=draft.response,
            language=draft.language,
        )
        for side in sides
    )
    parent = next(iter(draft.parents), "")
    snippet = snippet_of.get(parent)
    return TrainingRow(
        id=digest(instruction, response),
        instruction=instruction,
        response=response,
        language=draft.language,
        round=round_number,
        snippet_id=parent,
        candidate_id=draft.id,
        lm_score=draft.lm_score,
        row_id=snippet.row_id if snippet else "",
        source=snippet.source if snippet else "",
        line=snippet.line if snippet else 0,
        model=draft.model,
    )


def _outside(template: str, config: RunConfig) -> list[str]:
    return [*kept_out_digests(config), *(side.digest for side in _sides(template))]

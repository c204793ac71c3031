"""Scored pairs to training rows (InverseCoder section 3.4).

Enters: snippets, candidates and scores of a round. Leaves: `selected.parquet` (one row in is one scored pair) and
`rejections.parquet`. The order of the input does not matter: ties are broken by the candidate's id. Every selected row
carries its lineage down to the source row. Generated instructions are decontaminated like the corpus was.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.config.sections import SelectionSection
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.records import (
    Candidate,
    Reason,
    Rejection,
    ScoredPair,
    Snippet,
    TrainingRow,
    Verdict,
    digest,
    rows_digest,
)
from inverse_instruct.stages.limited import limit_rows
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Rows, Stage, When
from inverse_instruct.store.seeds import choice_seed


def select(room: Room) -> None:
    """Choose the training rows of a round."""
    section: SelectionSection = room.section()
    pairs: list[ScoredPair] = list(room.read("scores"))
    refused: list[Rejection] = []
    if "verdicts" in room.stage.reads:
        required = room.section("verify.required")
        pairs, refused = by_verdict(pairs, {each.candidate_id: each for each in room.read("verdicts")}, required)
    chosen, rejections = choose(section, pairs, room.place.seed, room.place.round)
    rejections += refused
    wanted = {pair.candidate_id for pair in chosen}
    snippet_of = {snippet.id: snippet for snippet in room.read("snippets")}
    candidate_of = {candidate.id: candidate for candidate in room.read("candidates") if candidate.id in wanted}
    benchmarks = BenchmarkIndex(read_kept_out(room.section("kept_out")), room.section("preprocess.ngram"))
    seen = {row.id for row in room.read("earlier")}
    kept = []
    for pair in chosen:
        row = _training_row(snippet_of[pair.snippet_id], candidate_of[pair.candidate_id], pair, room.place.round)
        task = benchmarks.match(row.instruction, row.response)
        if task:
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.CONTAMINATED, task))
        elif row.id in seen:
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.EXACT_DUPLICATE, row.id))
        else:
            seen.add(row.id)
            kept.append(row)
    kept, beyond = limit_rows(kept, section.limit, room.seed("selection"))
    for row in kept:
        room.keep(row)
    for rejection in [*rejections, *beyond]:
        room.reject(rejection)
    scores = [row.lm_score for row in kept if row.lm_score is not None]
    room.metrics |= {
        "mean_lm_score": sum(scores) / len(scores) if scores else None,
        "snippets": len({row.snippet_id for row in kept}),
        "rows": rows_digest([row.id for row in kept]),
    }


def by_verdict(
    pairs: Sequence[ScoredPair], verdict_of: Mapping[str, Verdict], required: bool
) -> tuple[list[ScoredPair], list[Rejection]]:
    """Split pairs into those that may be chosen, and rejections; what is verified leaves no room for what is not.

    Args:
        pairs: of a round.
        verdict_of: candidate -> verdict; those that were not looked at have none.
        required: whether verified ones alone may be chosen.
    """
    verified = {verdict.snippet_id for verdict in verdict_of.values() if verdict.state == "verified"}
    left, rejections = [], []
    for pair in pairs:
        verdict = verdict_of.get(pair.candidate_id)
        if verdict is None:
            reason, detail = Reason.NOT_SELECTED, "no verdict was given"
        elif verdict.state == "refuted":
            reason, detail = Reason.REFUTED, verdict.detail
        elif verdict.state == "unverified" and required:
            reason, detail = Reason.NOT_VERIFIED, verdict.detail
        elif verdict.state == "unverified" and pair.snippet_id in verified:
            reason, detail = Reason.NOT_SELECTED, "another one is verified"
        else:
            left.append(pair)
            continue
        rejections.append(Rejection(pair.candidate_id, "selection", reason, detail))
    return left, rejections


def choose(
    section: SelectionSection, pairs: Sequence[ScoredPair], seed: int, round_number: int
) -> tuple[list[ScoredPair], list[Rejection]]:
    """Split pairs into chosen ones, in the order of snippet ids, and rejections."""
    by_snippet: dict[str, list[ScoredPair]] = defaultdict(list)
    rejections = []
    for pair in pairs:
        if pair.lm_score < section.min_score:
            detail = f"{pair.lm_score:.4f} < {section.min_score}"
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.BELOW_MINIMUM, detail))
        else:
            by_snippet[pair.snippet_id].append(pair)
    chosen = []
    for snippet_id in sorted(by_snippet):
        ranked = sorted(by_snippet[snippet_id], key=lambda pair: (-pair.lm_score, pair.candidate_id))
        match section.method:
            case "best":
                kept = ranked[:1]
            case "top_k":
                kept = ranked[: section.k]
            case "threshold":
                kept = ranked
            case "random":
                generator = random.Random(choice_seed(seed, round_number, snippet_id))
                kept = [generator.choice(sorted(ranked, key=lambda pair: pair.candidate_id))]
        chosen += kept
        for rank, pair in enumerate(ranked):
            if pair not in kept:
                detail = f"rank {rank + 1} of {len(ranked)} with {pair.lm_score:.4f}"
                rejections.append(Rejection(pair.candidate_id, "selection", Reason.NOT_SELECTED, detail))
    return chosen, rejections


def _training_row(snippet: Snippet, candidate: Candidate, pair: ScoredPair, round_number: int) -> TrainingRow:
    response = f"```{snippet.language}\n{snippet.code}\n```"
    return TrainingRow(
        id=digest(candidate.instruction, response),
        instruction=candidate.instruction,
        response=response,
        language=snippet.language,
        round=round_number,
        snippet_id=snippet.id,
        candidate_id=candidate.id,
        lm_score=pair.lm_score,
        row_id=snippet.row_id,
        source=snippet.source,
        line=snippet.line,
        model=pair.model,
    )


_SNIPPETS = Rows("snippets.parquet", Snippet)
_SELECTED = Rows("selected.parquet", TrainingRow)

SELECT = Stage(
    "selection",
    "choose the best instruction of each snippet as training rows",
    select,
    unit="training row",
    writes=_SELECTED,
    reads={
        "scores": Input("score", Rows("scores.parquet", ScoredPair)),
        "candidates": Input("summarize", Rows("candidates.parquet", Candidate)),
        "snippets": Input("preprocess", _SNIPPETS, When.ONCE),
        "earlier": Input("selection", _SELECTED, When.EARLIER),
    },
    sections=("kept_out", "preprocess.ngram"),
    outside=kept_out_digests,
    version=3,
    command="select",
    if_empty="look at the candidates, and start another --run-dir with a lower selection.min_score or other prompts",
)

SELECT_VERIFIED = replace(
    SELECT,
    reads={**SELECT.reads, "verdicts": Input("verify", Rows("verdicts.parquet", Verdict))},
    sections=(*SELECT.sections, "verify.required"),
    command="select-verified",
)

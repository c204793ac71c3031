"""Scores to a measure of the judge: does it tell right pairs from pairs that were shuffled on purpose?

Enters: snippets, candidates and their scores. Leaves: `shuffled.parquet`: the first instruction of some snippets,
scored with the code of another snippet, beside the score with its own; one row in is one such pair. The measure is how
often the own one is higher, ties counting half. A judge near one half chooses by chance, and a run says so before it
trains. Nothing else depends on it. Not guaranteed: that a judge which tells strangers apart tells a right instruction
from one with a wrong detail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Candidate, ScoredPair, ShuffledPair, Snippet, digest
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.judges import judge_of
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Outcome, Rows, Stage, When

PAIRS = 100
"""Snippets that are looked at; of a coin, 95 % of the measures lie within 0.1 of one half."""
DISCERNS = 0.75
"""Below this, a run warns."""
WARNING = (
    "round %d: the scores tell right pairs of instruction and code from shuffled ones in %.0f%% of %d cases, where a "
    "coin has 50%%; what they select is not much better than what is drawn. Use a stronger model, or recipe: "
    "inversecoder-verified"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Own:
    """A snippet's first scored candidate."""

    candidate: Candidate
    score: float


async def discern(room: Room) -> None:
    """Measure the judge of a round."""
    chosen = sorted(_first_scores(room).items(), key=lambda item: digest(room.place.seed, item[0]))[:PAIRS]
    if len(chosen) < 2:
        room.metrics["discernment"] = None
        return
    room.progress.expect(len(chosen))
    wanted = {pair.candidate_id: pair.lm_score for _, pair in chosen}
    own = {
        candidate.snippet_id: _Own(candidate, wanted[candidate.id])
        for candidate in room.read("candidates")
        if candidate.id in wanted
    }
    names = [name for name, _ in chosen]
    stranger_of = dict(zip(names, [*names[1:], names[0]], strict=True))
    judge = judge_of(room)

    async def work(snippet: Snippet) -> tuple[Snippet, Outcome]:
        stranger = own[stranger_of[snippet.id]].candidate
        return snippet, await judge((snippet, [replace(stranger, snippet_id=snippet.id)]))

    wins = []
    async for snippet, outcome in room.each(_snippets(room, own), work):
        for rejection in outcome.rejected:
            room.reject(replace(rejection, row_id=f"{snippet.id}/{rejection.row_id}", stage="discern"))
        for pair in outcome.kept:
            assert isinstance(pair, ScoredPair)
            score = own[snippet.id].score
            room.keep(ShuffledPair(snippet.id, pair.candidate_id, pair.lm_score, score))
            wins.append((score > pair.lm_score) + (score == pair.lm_score) / 2)
        room.progress.advance(len(outcome))
    share = room.metrics["discernment"] = fmean(wins) if wins else None
    if share is not None and share < DISCERNS:
        logger.warning(WARNING, room.place.round, 100 * share, len(wins))


def _first_scores(room: Room) -> Mapping[str, ScoredPair]:
    first: dict[str, ScoredPair] = {}
    for pair in room.read("scores"):
        first.setdefault(pair.snippet_id, pair)
    return first


def _snippets(room: Room, among: Mapping[str, _Own]) -> Iterator[Snippet]:
    return (snippet for snippet in room.read("snippets") if snippet.id in among)


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("score", config.score.template).digest]


def _cost(estimate: Estimate) -> Cost:
    rows = min(PAIRS, estimate.rows)
    tokens = rows * (estimate.tokens // max(1, estimate.rows) + 2 * INSTRUCTION_TOKENS)
    return Cost(rows, tokens, tokens * estimate.forward)


DISCERN = Stage(
    "discern",
    "measure how well the scores tell right pairs from shuffled ones",
    discern,
    unit="shuffled pair",
    is_data=False,
    writes=Rows("shuffled.parquet", ShuffledPair),
    reads={
        "snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE),
        "candidates": Input("summarize", Rows("candidates.parquet", Candidate)),
        "scores": Input("score", Rows("scores.parquet", ScoredPair)),
    },
    sections=("score", "model.prompt_format", "model.max_model_len", "model.yes_token", "model.no_token"),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
)

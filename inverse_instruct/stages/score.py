"""Pairs of instruction and code to LM-Scores (InverseCoder section 3.3).

Enters: candidates with their snippets. Leaves: `scores.parquet` and `rejections.parquet`. The score is the softmax over
the YES and NO logits of the first reply token, from full-vocabulary log-probabilities: exact at any rank. Code comes
first in the prompt, so a snippet's candidates share their cached prefix and travel as one request.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Candidate, ScoredPair, Snippet
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.judges import judge_of
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Groups, Input, Model, Rows, Stage, When


def _pairs(room: Room) -> Iterator[tuple[Snippet, list[Candidate]]]:
    """Yield each snippet with its candidates, which stand together in the order of the snippets."""
    snippets = room.read("snippets")
    for snippet_id, candidates in groupby(room.read("candidates"), key=lambda candidate: str(candidate.snippet_id)):
        yield next(snippet for snippet in snippets if snippet.id == snippet_id), list(candidates)


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("score", config.score.template).digest]


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.rows * estimate.config.summarize.candidates
    tokens = estimate.tokens + 2 * rows * INSTRUCTION_TOKENS
    return Cost(rows, tokens, tokens * estimate.forward)


SCORE = Stage(
    "score",
    "judge pairs of instruction and code with exact LM-Scores",
    Groups(_pairs, judge_of, lambda room: room.count("candidates")),
    unit="pair",
    writes=Rows("scores.parquet", ScoredPair),
    reads={
        "candidates": Input("summarize", Rows("candidates.parquet", Candidate)),
        "snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE),
    },
    sections=("model.prompt_format", "model.max_model_len", "model.yes_token", "model.no_token"),
    outside=_outside,
    model=Model.PROMOTED,
    journal="scores.jsonl",
    cost=_cost,
)

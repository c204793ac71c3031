"""Pairs of instruction and code to LM-Scores (InverseCoder section 3.3).

Enters: candidates with their snippets. Leaves: `scores.parquet` and `rejections.parquet`. The score is the softmax over
the YES and NO logits of the first reply token, from full-vocabulary log-probabilities: exact at any rank. Code comes
first in the prompt, so a snippet's candidates share their cached prefix and travel as one request.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from inverse_instruct.config.sections import RunConfig, ScoreSection
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage, When


class Judge:
    """Scores the candidates of one snippet after the other."""

    def __init__(self, room: Room) -> None:
        """Prepare the question.

        Raises:
            ModelError: YES or NO is not a single token.
        """
        self._room = room
        section: ScoreSection = room.section()
        self._formatter = room.model.formatter
        self._words: tuple[str, str] = (room.section("model.yes_token"), room.section("model.no_token"))
        self._labels = [self._formatter.single_token(word) for word in self._words]
        self._template = PromptTemplate("score", section.template)

    async def __call__(self, group: tuple[Snippet, Sequence[Candidate]]) -> Outcome:
        """Return the scores of a snippet's candidates, and why others have none."""
        snippet, candidates = group
        if not candidates:
            return Outcome()
        prompts = self._prompts(snippet, candidates)
        room = self._room.model.max_model_len
        found = await self._room.logprobs(
            {name: prompt for name, prompt in prompts.items() if isinstance(prompt, list) and len(prompt) < room},
            self._labels,
        )
        results = [self._result(candidate, prompts[candidate.id], found.get(candidate.id)) for candidate in candidates]
        return Outcome(
            [each for each in results if isinstance(each, ScoredPair)],
            [each for each in results if isinstance(each, Rejection)],
        )

    def _prompts(self, snippet: Snippet, candidates: Sequence[Candidate]) -> dict[str, list[int] | TextError]:
        """Return the token ids of each candidate's question, or why it has none."""
        yes, no = self._words
        try:
            prompts = self._formatter.response_prompts(
                [
                    (
                        self._template.render(
                            language=snippet.language,
                            code=snippet.code,
                            instruction=candidate.instruction,
                            yes=yes,
                            no=no,
                        ),
                        "",
                    )
                    for candidate in candidates
                ]
            )
        except TextError as error:
            if len(candidates) == 1:
                return {candidates[0].id: error}
            found: dict[str, list[int] | TextError] = {}
            for candidate in candidates:  # one bad text must not take the others with it
                found |= self._prompts(snippet, [candidate])
            return found
        return dict(zip((candidate.id for candidate in candidates), prompts, strict=True))

    def _result(
        self, candidate: Candidate, prompt: list[int] | TextError, found: list[float] | RequestError | None
    ) -> ScoredPair | Rejection:
        if isinstance(prompt, TextError):
            return Rejection(candidate.id, "score", Reason.PARSER_FAILED, str(prompt))
        if isinstance(found, RequestError):
            return Rejection(candidate.id, "score", found.reason, str(found))
        if found is None:
            return Rejection(candidate.id, "score", Reason.TOO_LONG, f"{len(prompt)} tokens of prompt")
        yes, no = found
        score = lm_score(yes, no)
        if math.isnan(score):
            return Rejection(candidate.id, "score", Reason.BAD_SCORE, f"log-probabilities {yes} and {no}")
        return ScoredPair(
            candidate_id=candidate.id,
            snippet_id=candidate.snippet_id,
            yes_logprob=yes,
            no_logprob=no,
            lm_score=score,
            model=self._room.model.digest,
            prompt=self._template.digest,
        )


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
    Groups(_pairs, Judge, lambda room: room.count("candidates")),
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

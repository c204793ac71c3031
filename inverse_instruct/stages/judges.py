"""The judges of pairs of instruction and code: the LM-Score (InverseCoder section 3.3), and what it is compared with.

Enters: a snippet and its candidates. Leaves: their scores. Whatever is asked, the same two columns hold what came of
it, and `lm_score` follows from them in the same way. Part of the stage `score`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from inverse_instruct.config.sections import ScoreSection
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet
from inverse_instruct.stages.questions import Ask, Question, Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Outcome

VERDICT_TOKENS = 8  # a verdict is the reply's first word


class Judge:
    """Scores the candidates of one snippet after the other."""

    def __init__(self, room: Room) -> None:
        """Prepare the question.

        Raises:
            ModelError: YES or NO is not a single token.
        """
        self._room = room
        section: ScoreSection = room.section("score")
        self._formatter = room.model.formatter
        self._words: tuple[str, str] = (room.section("model.yes_token"), room.section("model.no_token"))
        self._labels = [self._formatter.single_token(word) for word in self._words]
        self._template = PromptTemplate("score", section.template)

    async def __call__(self, group: tuple[Snippet, Sequence[Candidate]]) -> Outcome:
        """Return the scores of a snippet's candidates, and why others have none."""
        snippet, candidates = group
        if not candidates:
            return Outcome()
        found = await self._ask({candidate.id: self._question(snippet, candidate) for candidate in candidates})
        results = [self._result(candidate, found[candidate.id]) for candidate in candidates]
        return Outcome(
            [each for each in results if isinstance(each, ScoredPair)],
            [each for each in results if isinstance(each, Rejection)],
        )

    async def _ask(self, questions: Mapping[str, Question]) -> Mapping[str, Sequence[float] | RequestError]:
        """Return the log-probabilities of YES and NO by the ids of the questions."""
        return await self._room.questions.logprobs(questions, self._labels)

    def _question(self, snippet: Snippet, candidate: Candidate) -> Question:
        yes, no = self._words
        text = self._template.render(
            language=snippet.language, code=snippet.code, instruction=candidate.instruction, yes=yes, no=no
        )
        return Question((text,))

    def _result(self, candidate: Candidate, found: Sequence[float] | RequestError) -> ScoredPair | Rejection:
        if isinstance(found, RequestError):
            return Rejection(candidate.id, "score", found.reason, str(found))
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


class VerdictJudge(Judge):
    """Asks the same question and reads the greedy reply: 1 if its first word is YES, 0 if it is NO."""

    async def _ask(self, questions: Mapping[str, Question]) -> Mapping[str, Sequence[float] | RequestError]:
        sampling = Sampling(VERDICT_TOKENS, temperature=0.0, stop_token_ids=self._formatter.ending.stops)
        asks = [Ask(question, sampling, 0, {"candidate_id": name}) for name, question in questions.items()]
        return dict(zip(questions, map(self._verdict, await self._room.questions.replies(asks)), strict=True))

    def _verdict(self, reply: Reply | RequestError) -> tuple[float, float] | RequestError:
        if isinstance(reply, RequestError):
            return reply
        first = reply.text.strip(" \n\t*\"'`.").partition("\n")[0].lower()
        yes, no = (first.startswith(word.lower()) for word in self._words)
        if yes == no:
            return RequestError(f"no verdict: {reply.text!r}", Reason.BAD_REPLY)
        return (0.0, -math.inf) if yes else (-math.inf, 0.0)


class PerplexityJudge(Judge):
    """Measures how likely the code is as the reply to the instruction: the score is 1 / perplexity."""

    def _question(self, snippet: Snippet, candidate: Candidate) -> Question:
        return Question((candidate.instruction,), f"```{snippet.language}\n{snippet.code}\n```")

    async def _ask(self, questions: Mapping[str, Question]) -> Mapping[str, Sequence[float] | RequestError]:
        return {name: await self._measure(name, question) for name, question in questions.items()}

    async def _measure(self, name: str, question: Question) -> tuple[float, float] | RequestError:
        [instruction] = question.requests
        try:
            mean = await self._room.questions.mean_logprob(instruction, question.beginning, candidate_id=name)
        except RequestError as error:
            return error
        return mean, math.log(-math.expm1(mean)) if mean < 0 else -math.inf


def judge_of(room: Room) -> Judge:
    """Return the judge that `score.method` names; errors as of it."""
    section: ScoreSection = room.section("score")
    return {"logits": Judge, "verdict": VerdictJudge, "perplexity": PerplexityJudge}[section.method](room)

"""The judges of pairs of instruction and code: the LM-Score (InverseCoder section 3.3), and what it is compared with.

Enters: a snippet and its candidates. Leaves: their scores. Whatever is asked, the same two columns hold what came of
it, and `lm_score` follows from them in the same way. Part of the stage `score`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from inverse_instruct.config.sections import ScoreSection
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet
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
        prompts = self._prompts(snippet, candidates)
        room = self._room.model.max_model_len
        found = await self._ask(
            {name: prompt for name, prompt in prompts.items() if isinstance(prompt, list) and len(prompt) < room}
        )
        results = [self._result(candidate, prompts[candidate.id], found.get(candidate.id)) for candidate in candidates]
        return Outcome(
            [each for each in results if isinstance(each, ScoredPair)],
            [each for each in results if isinstance(each, Rejection)],
        )

    async def _ask(self, prompts: dict[str, list[int]]) -> Mapping[str, Sequence[float] | RequestError]:
        """Return the log-probabilities of YES and NO by the ids of the prompts."""
        return await self._room.logprobs(prompts, self._labels)

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
        self, candidate: Candidate, prompt: list[int] | TextError, found: Sequence[float] | RequestError | None
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


class VerdictJudge(Judge):
    """Asks the same question and reads the greedy reply: 1 if its first word is YES, 0 if it is NO."""

    async def _ask(self, prompts: dict[str, list[int]]) -> Mapping[str, Sequence[float] | RequestError]:
        return {name: await self._verdict(name, prompt) for name, prompt in prompts.items()}

    async def _verdict(self, name: str, prompt: list[int]) -> tuple[float, float] | RequestError:
        stops = self._formatter.ending.stops
        sampling = Sampling(VERDICT_TOKENS, temperature=0.0, stop_token_ids=stops)
        try:
            reply = await self._room.reply(prompt, sampling, 0, candidate_id=name)
        except RequestError as error:
            return error
        first = reply.text.strip(" \n\t*\"'`.").partition("\n")[0].lower()
        yes, no = (first.startswith(word.lower()) for word in self._words)
        if yes == no:
            return RequestError(f"no verdict: {reply.text!r}", Reason.BAD_REPLY)
        return (0.0, -math.inf) if yes else (-math.inf, 0.0)


class PerplexityJudge(Judge):
    """Measures how likely the code is as the reply to the instruction: the score is 1 / perplexity."""

    def __init__(self, room: Room) -> None:
        """Prepare to measure."""
        super().__init__(room)
        self._starts: dict[str, int] = {}  # candidate -> tokens before the response

    def _prompts(self, snippet: Snippet, candidates: Sequence[Candidate]) -> dict[str, list[int] | TextError]:
        response = f"```{snippet.language}\n{snippet.code}\n```"
        found: dict[str, list[int] | TextError] = {}
        for candidate in candidates:
            try:
                asked, answered = self._formatter.training_ids(candidate.instruction, response)
            except TextError as error:
                found[candidate.id] = error
                continue
            self._starts[candidate.id] = len(asked)
            found[candidate.id] = asked + answered
        return found

    async def _ask(self, prompts: dict[str, list[int]]) -> Mapping[str, Sequence[float] | RequestError]:
        return {name: await self._measure(name, prompt, self._starts.pop(name)) for name, prompt in prompts.items()}

    async def _measure(self, name: str, prompt: list[int], start: int) -> tuple[float, float] | RequestError:
        try:
            mean = await self._room.mean_logprob(prompt[:start], prompt[start:], candidate_id=name)
        except RequestError as error:
            return error
        return mean, math.log(-math.expm1(mean)) if mean < 0 else -math.inf

"""Original instructions to responses: what the paper compares its inverse with (InverseCoder, table 6).

Enters: snippets, of which only the instructions are used. Leaves: `drafts.parquet` and `rejections.parquet`; one row in
is one wanted response. Of each reply the first code block is kept, as of the corpus's own responses, and the model
judges it as `score` does; the best of an instruction is chosen by the stage after this one. Not guaranteed: that a
response is right, which is what the ablation is about.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from inverse_instruct.config.responding import RespondSection
from inverse_instruct.config.sections import PreprocessSection, RunConfig
from inverse_instruct.corpus.extraction import NotCode, extract
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Draft, Reason, Rejection, ScoredPair, Snippet, digest
from inverse_instruct.source_code.parser_process import ParserFailed
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.judges import Judge
from inverse_instruct.stages.questions import Ask, Question, Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.snippets import SECTIONS, count_snippets, snippets_of
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage, When

TASK = "response"


class Responder:
    """Writes and judges the responses to one instruction after the other."""

    def __init__(self, room: Room) -> None:
        """Prepare the question."""
        self._room = room
        self._section: RespondSection = room.section()
        self._corpus: PreprocessSection = room.section("preprocess")
        self._judge = Judge(room)
        self._sampling = Sampling(
            max_tokens=self._section.max_new_tokens,
            temperature=self._section.temperature,
            top_p=self._section.top_p,
            repetition_penalty=self._section.repetition_penalty,
            stop_token_ids=room.model.formatter.ending.stops,
        )

    async def __call__(self, snippet: Snippet) -> Outcome:
        """Return the responses to a snippet's instruction with their scores, and why the others are none."""
        if not snippet.instruction.strip():
            return self._refuse(snippet, Reason.EMPTY, "plain source code, without an instruction")
        question = Question((snippet.instruction,))
        asks = [
            Ask(question, self._sampling, self._room.seed("respond", snippet.id, k), {"snippet_id": snippet.id, "k": k})
            for k in range(self._section.candidates)
        ]
        replies = await self._room.questions.replies(asks)
        found = [self._read(snippet, ask, reply) for ask, reply in zip(asks, replies, strict=True)]
        kept: dict[str, Draft] = {}
        rejected = []
        for draft in found:
            if isinstance(draft, Rejection):
                rejected.append(draft)
            elif draft.response in kept:
                row_id = f"{snippet.id}/{draft.k}"
                rejected.append(Rejection(row_id, "respond", Reason.DUPLICATE_CANDIDATE, kept[draft.response].id))
            else:
                kept[draft.response] = draft
        judged = await asyncio.gather(*map(self._score, kept.values()))
        return Outcome(
            [draft for draft in judged if isinstance(draft, Draft)],
            rejected + [draft for draft in judged if isinstance(draft, Rejection)],
        )

    def _refuse(self, snippet: Snippet, reason: Reason, detail: str) -> Outcome:
        numbers = range(self._section.candidates)
        return Outcome(rejected=[Rejection(f"{snippet.id}/{k}", "respond", reason, detail) for k in numbers])

    def _read(self, snippet: Snippet, ask: Ask, reply: Reply | RequestError) -> Draft | Rejection:
        k = int(ask.about["k"])
        row_id = f"{snippet.id}/{k}"
        if isinstance(reply, RequestError):
            return Rejection(row_id, "respond", reply.reason, str(reply))
        if reply.finish == "length":
            return Rejection(row_id, "respond", Reason.CUT_OFF, reply.text)
        try:
            code = extract(reply.text, self._corpus.languages, self._corpus.max_characters, snippet.language)
        except ParserFailed as error:
            return Rejection(row_id, "respond", Reason.PARSER_FAILED, str(error))
        if isinstance(code, NotCode):
            return Rejection(row_id, "respond", code.reason, code.detail)
        return Draft(
            id=digest(snippet.id, k, code.text),
            parents=[snippet.id],
            task=TASK,
            instruction=snippet.instruction,
            input="",
            response=f"```{code.language}\n{code.text}\n```",
            language=code.language,
            k=k,
            seed=ask.seed,
            model=self._room.model.digest,
            prompt="",
        )

    async def _score(self, draft: Draft) -> Draft | Rejection:
        code = draft.response.partition("\n")[2].removesuffix("\n```")
        asked = Candidate(draft.id, draft.id, 0, "", draft.instruction, 0, "", "", 0, 0)
        outcome = await self._judge((Snippet(draft.id, code, draft.language, "", "", "", 0), [asked]))
        for pair in outcome.kept:
            assert isinstance(pair, ScoredPair)
            return replace(draft, lm_score=pair.lm_score)
        [rejection] = outcome.rejected
        return replace(rejection, stage="respond")


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("score", config.score.template).digest]


def _cost(estimate: Estimate) -> Cost:
    copies = estimate.config.respond.candidates
    rows = estimate.rows * copies
    return Cost(rows, 2 * estimate.tokens * copies, estimate.tokens * copies * (estimate.written + estimate.forward))


RESPOND = Stage(
    "respond",
    "write several responses to each original instruction, and judge them",
    Groups(snippets_of, Responder, lambda room: count_snippets(room) * room.section().candidates),
    unit="response",
    writes=Rows("drafts.parquet", Draft),
    reads={"snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE)},
    sections=(
        "preprocess",
        "score",
        "model.prompt_format",
        "model.max_model_len",
        "model.yes_token",
        "model.no_token",
        *SECTIONS,
    ),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
)

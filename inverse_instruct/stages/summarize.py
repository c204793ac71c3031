"""Snippets to instructions: the model writes several for each snippet (InverseCoder section 3.2).

Enters: snippets. Leaves: `candidates.parquet` and `rejections.parquet`; one row in is one wanted candidate, or one that
an earlier round wrote, where these compete again (`selection.per_snippet: best_ever`): they stand before the new ones,
as they were, to be judged by the round's own model. Every reply is in the journal before it counts, so nothing is
generated twice. A candidate's seed comes from (run seed, round, snippet, k): order, concurrency and restarts change
nothing. Not guaranteed: equal replies from engines that differ in hardware or numeric type.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from inverse_instruct.config.sections import RunConfig, SummarizeSection
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Rejection, Snippet, digest
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.questions import Ask, Question, Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.snippets import SECTIONS, count_snippets, snippets_of
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage, When

MIN_WORDS = 4  # an instruction with fewer says nothing
MIN_LINE_CHARACTERS = 10  # shorter lines of code, such as "else:", may stand in an instruction


class Summarizer:
    """Writes the instructions of one snippet after the other."""

    def __init__(self, room: Room) -> None:
        """Prepare the question."""
        self._room = room
        self._section: SummarizeSection = room.section()
        self._template = PromptTemplate("summarize", self._section.template)
        self._sampling = Sampling(
            max_tokens=self._section.max_new_tokens,
            temperature=self._section.temperature,
            top_p=self._section.top_p,
            repetition_penalty=self._section.repetition_penalty,
            stop=tuple(self._section.stop),
            stop_token_ids=room.model.formatter.ending.stops,
        )
        self._competing: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in room.read("earlier"):
            self._competing[candidate.snippet_id].append(candidate)
        room.metrics |= {"snippets": 0, "prompt": self._template.digest}

    async def __call__(self, snippet: Snippet) -> Outcome:
        """Return the snippet's good candidates, those of earlier rounds first, and why others are none."""
        self._room.metrics["snippets"] += 1
        request = self._template.render(language=snippet.language, code=snippet.code)
        drafts = [self._draft(snippet, k) for k in range(self._section.candidates)]
        asks = [
            Ask(
                Question((request,), draft.prefix),
                self._sampling,
                draft.seed,
                {"snippet_id": draft.snippet_id, "k": draft.k},
            )
            for draft in drafts
        ]
        if not self._room.questions.know(asks) and (refusal := self._refusal(snippet)):
            return Outcome(rejected=[Rejection(_row_id(draft), "summarize", *refusal) for draft in drafts])
        replies = map(self._read, drafts, await self._room.questions.replies(asks))
        return Outcome(*review(snippet, replies, self._section.max_leaked_lines, self._competing[snippet.id]))

    def _refusal(self, snippet: Snippet) -> tuple[Reason, str] | None:
        """Return why no instruction is asked for; None: there is no reason."""
        try:
            tokens = len(self._room.model.formatter.encode(snippet.code))
        except TextError as error:
            return Reason.PARSER_FAILED, str(error)
        return (Reason.TOO_LONG, f"{tokens} tokens of code") if tokens > self._section.max_snippet_tokens else None

    def _draft(self, snippet: Snippet, k: int) -> Candidate:
        seed = self._room.seed(snippet.id, k)
        drawn = f"{random.Random(seed).choice(self._section.prefixes)} {LANGUAGE_NAMES[snippet.language]}"
        return Candidate(
            id="",
            snippet_id=snippet.id,
            k=k,
            prefix=self._section.heading or drawn,
            instruction="",
            seed=seed,
            model=self._room.model.digest,
            prompt=self._template.digest,
            prompt_tokens=0,
            completion_tokens=0,
        )

    def _read(self, draft: Candidate, reply: Reply | RequestError) -> Candidate | Rejection:
        if isinstance(reply, RequestError):
            return Rejection(_row_id(draft), "summarize", reply.reason, str(reply))
        instruction = (reply.text if self._section.heading else f"{draft.prefix}{reply.text}").strip()
        if reply.finish == "length":
            return Rejection(_row_id(draft), "summarize", Reason.CUT_OFF, instruction)
        return replace(
            draft,
            id=digest(draft.snippet_id, draft.k, instruction),
            instruction=instruction,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
        )


def review(
    snippet: Snippet,
    replies: Iterable[Candidate | Rejection],
    max_leaked_lines: int,
    earlier: Sequence[Candidate] = (),
) -> tuple[list[Candidate], list[Rejection]]:
    """Split a snippet's replies, in the order of k, into good candidates and rejections with a reason.

    Candidates of earlier rounds were looked at there; they come first, and a reply that repeats one is rejected.
    """
    kept = list(earlier)
    rejected: list[Rejection] = []
    seen = {_normalized(candidate) for candidate in earlier}
    for reply in replies:
        if isinstance(reply, Rejection):
            rejected.append(reply)
            continue
        normalized = _normalized(reply)
        if len(reply.instruction.removeprefix(reply.prefix).split()) < MIN_WORDS:
            reason = Reason.EMPTY
        elif repeats_itself(reply.instruction):
            reason = Reason.REPEATS_ITSELF
        elif leaks_code(reply.instruction, snippet.code, max_leaked_lines):
            reason = Reason.LEAKS_CODE
        elif normalized in seen:
            reason = Reason.DUPLICATE_CANDIDATE
        else:
            seen.add(normalized)
            kept.append(reply)
            continue
        rejected.append(Rejection(_row_id(reply), "summarize", reason, reply.instruction))
    return kept, rejected


def repeats_itself(text: str) -> bool:
    """Tell whether a text is caught in a loop: most of its word 4-grams, or one of its lines, come again and again."""
    words = text.lower().split()
    grams = [tuple(words[start : start + 4]) for start in range(len(words) - 3)]
    if len(grams) >= 16 and len(set(grams)) < 0.6 * len(grams):
        return True
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) >= MIN_LINE_CHARACTERS]
    return any(lines.count(line) >= 3 for line in set(lines))


def leaks_code(instruction: str, code: str, max_leaked_lines: int) -> bool:
    """Tell whether an instruction holds more than `max_leaked_lines` non-trivial lines of the code, or all of them.

    The signature may be named: the first line of the code does not count.
    """

    def squeeze(text: str) -> str:
        return re.sub(r"\s+", "", text)

    lines = {squeeze(line) for line in code.strip().splitlines()[1:]}
    lines = {line for line in lines if len(line) >= MIN_LINE_CHARACTERS}
    whole = squeeze(instruction)
    leaked = sum(line in whole for line in lines)
    return leaked > 0 and (leaked > max_leaked_lines or leaked == len(lines))


def _normalized(candidate: Candidate) -> str:
    return " ".join(candidate.instruction.lower().split())


def _row_id(candidate: Candidate) -> str:
    return f"{candidate.snippet_id}/{candidate.k}"


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("summarize", config.summarize.template).digest]


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.rows * estimate.config.summarize.candidates
    return Cost(rows, rows * INSTRUCTION_TOKENS, rows * INSTRUCTION_TOKENS * estimate.written)


def _total(room: Room) -> int:
    section: SummarizeSection = room.section()
    return count_snippets(room) * section.candidates + room.count("earlier")


_CANDIDATES = Rows("candidates.parquet", Candidate)

SUMMARIZE = Stage(
    "summarize",
    "write several instructions for each snippet",
    Groups(snippets_of, Summarizer, _total),
    unit="candidate",
    writes=_CANDIDATES,
    reads={
        "snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE),
        "earlier": Input("summarize", _CANDIDATES, When.COMPETING),
    },
    sections=("model.prompt_format", "model.max_model_len", *SECTIONS),
    outside=_outside,
    model=Model.PROMOTED,
    journal="generations.jsonl",
    cost=_cost,
)

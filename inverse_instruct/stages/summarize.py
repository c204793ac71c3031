"""Snippets to instructions: the model writes several for each snippet (InverseCoder section 3.2).

Enters: snippets. Leaves: `candidates.parquet` and `rejections.parquet`; one row in is one wanted candidate. Every reply
is in the journal before it counts, so nothing is generated twice. A candidate's seed comes from (run seed, round,
snippet, k): order, concurrency and restarts change nothing. Not guaranteed: equal replies from engines that differ in
hardware or numeric type.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptFormatter, PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Rejection, Snippet, digest, to_dict
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.manifest import Manifest, write_manifest
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.seeds import candidate_seed

MIN_WORDS = 4  # an instruction with fewer says nothing
MIN_LINE_CHARACTERS = 10  # shorter lines of code, such as "else:", may stand in an instruction


class SummarizeStage:
    """The summarize stage of one round."""

    def __init__(self, section: SummarizeSection, folder: Path, *, formatter: PromptFormatter, client: InferenceClient,
                 model: str, max_model_len: int, seed: int, round_number: int) -> None:
        """Open the stage's journal.

        Args:
            section: how to summarize.
            folder: the stage's folder.
            formatter: wraps prompts for the model.
            client: asks the model.
            model: digest of the model's weights.
            max_model_len: context length in tokens.
            seed: the run's seed.
            round_number: number of the round.
        """
        self._section = section
        self._folder = folder
        self._formatter = formatter
        self._client = client
        self._model = model
        self._max_model_len = max_model_len
        self._seed = seed
        self._round = round_number
        self._template = PromptTemplate("summarize", section.template)
        self._sampling = Sampling(
            max_tokens=section.max_new_tokens, temperature=section.temperature, top_p=section.top_p,
            repetition_penalty=section.repetition_penalty, stop=tuple(section.stop),
            stop_token_ids=formatter.ending.stops,
        )
        self._sampling_digest = digest(repr(self._sampling))
        self._journal = Journal(folder / "generations.jsonl")
        self._results: dict[str, tuple[list[Candidate], list[Rejection]]] = {}
        self._started = time.monotonic()
        self.tokens = {"prompt": 0, "completion": 0}
        self.on_candidate: Callable[[int], None] = lambda completion_tokens: None

    async def write(self, snippet: Snippet) -> list[Candidate]:
        """Return the snippet's good candidates; what was rejected is kept for `finish`."""
        request = self._template.render(language=snippet.language, code=snippet.code)
        drafts = [self._draft(snippet, k) for k in range(self._section.candidates)]
        try:
            prompts = self._formatter.response_prompts([(request, draft.prefix) for draft in drafts])
            snippet_tokens = len(self._formatter.encode(snippet.code))
        except TextError as error:
            return self._refuse(snippet, drafts, Reason.PARSER_FAILED, str(error))
        longest = max(map(len, prompts))
        room = self._max_model_len - self._section.max_new_tokens
        if snippet_tokens > self._section.max_snippet_tokens or longest > room:
            return self._refuse(snippet, drafts, Reason.TOO_LONG,
                                f"{snippet_tokens} tokens of code, {longest} of prompt")
        replies = await asyncio.gather(*map(self._generate, drafts, prompts))
        candidates, rejections = review(snippet, replies, self._section.max_leaked_lines)
        self._results[snippet.id] = (candidates, rejections)
        return candidates

    def _refuse(self, snippet: Snippet, drafts: list[Candidate], reason: Reason, detail: str) -> list[Candidate]:
        self._results[snippet.id] = ([], [Rejection(_row_id(draft), "summarize", reason, detail) for draft in drafts])
        return []

    def finish(self, snippets: Iterable[Snippet], key: str) -> Manifest:
        """Write the stage's files and manifest; every snippet must have gone through `write`."""
        self._journal.close()
        ordered = [self._results[snippet.id] for snippet in snippets]
        candidates = [candidate for kept, _ in ordered for candidate in kept]
        rejections = [rejection for _, rejected in ordered for rejection in rejected]
        write_rows(self._folder / "candidates.parquet", map(to_dict, candidates), Candidate)
        write_rows(self._folder / "rejections.parquet", map(to_dict, rejections), Rejection)
        manifest = Manifest(
            stage="summarize", key=key, rows_in=len(ordered) * self._section.candidates, rows_out=len(candidates),
            rejected=dict(Counter(rejection.reason.value for rejection in rejections)),
            seconds=time.monotonic() - self._started, tokens=self.tokens,
            metrics={"snippets": len(ordered), "prompt": self._template.digest},
        )
        return write_manifest(self._folder, manifest, ["candidates.parquet", "rejections.parquet"])

    def _draft(self, snippet: Snippet, k: int) -> Candidate:
        seed = candidate_seed(self._seed, self._round, snippet.id, k)
        prefix = f"{random.Random(seed).choice(self._section.prefixes)} {LANGUAGE_NAMES[snippet.language]}"
        return Candidate(id="", snippet_id=snippet.id, k=k, prefix=prefix, instruction="", seed=seed,
                         model=self._model, prompt=self._template.digest, prompt_tokens=0, completion_tokens=0)

    async def _generate(self, draft: Candidate, prompt: list[int]) -> Candidate | Rejection:
        key = digest(draft.snippet_id, draft.k, draft.seed, draft.model, self._sampling_digest, *prompt)
        fresh_tokens = 0
        if key not in self._journal:
            try:
                reply = await self._client.complete(prompt, self._sampling, draft.seed)
            except RequestError as error:
                return Rejection(_row_id(draft), "summarize", error.reason, str(error))
            fresh = {"snippet_id": draft.snippet_id, "k": draft.k, "text": reply.text, "finish": reply.finish_reason,
                     "prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
            self._journal.append(key, fresh)
            self.tokens["prompt"] += reply.prompt_tokens
            self.tokens["completion"] += reply.completion_tokens
            fresh_tokens = reply.completion_tokens
        row = self._journal.rows[key]
        self.on_candidate(fresh_tokens)
        instruction = f"{draft.prefix}{row['text']}".strip()
        if row["finish"] == "length":
            return Rejection(_row_id(draft), "summarize", Reason.CUT_OFF, instruction)
        return Candidate(
            id=digest(draft.snippet_id, draft.k, instruction), snippet_id=draft.snippet_id, k=draft.k,
            prefix=draft.prefix, instruction=instruction, seed=draft.seed, model=draft.model, prompt=draft.prompt,
            prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"],
        )


def review(snippet: Snippet, replies: Iterable[Candidate | Rejection], max_leaked_lines: int
           ) -> tuple[list[Candidate], list[Rejection]]:
    """Split a snippet's replies, in the order of k, into good candidates and rejections with a reason."""
    kept: list[Candidate] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for reply in replies:
        if isinstance(reply, Rejection):
            rejected.append(reply)
            continue
        normalized = " ".join(reply.instruction.lower().split())
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


def _row_id(candidate: Candidate) -> str:
    return f"{candidate.snippet_id}/{candidate.k}"

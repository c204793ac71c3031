"""Pairs of instruction and code to LM-Scores (InverseCoder section 3.3).

Enters: candidates with their snippets. Leaves: `scores.parquet` and `rejections.parquet`. The score is the softmax over
the YES and NO logits of the first reply token, from full-vocabulary log-probabilities: exact at any rank. Code comes
first in the prompt, so a snippet's candidates share their cached prefix and travel as one request.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from inverse_instruct.config.sections import ScoreSection
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet, digest, to_dict
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.manifest import Manifest, write_manifest
from inverse_instruct.store.rows import write_rows


def lm_score(yes_logprob: float, no_logprob: float) -> float:
    """Return exp(yes) / (exp(yes) + exp(no)); NaN if both are minus infinity or one is NaN."""
    difference = no_logprob - yes_logprob
    if difference > 700:  # exp would overflow; the true value is below 1e-304
        return 0.0
    return 1.0 / (1.0 + math.exp(difference))


class ScoreStage:
    """The score stage of one round."""

    def __init__(self, section: ScoreSection, folder: Path, *, formatter: PromptFormatter, client: InferenceClient,
                 model: str, max_model_len: int, yes_token: str, no_token: str) -> None:
        """Open the stage's journal.

        Args:
            section: how to score.
            folder: the stage's folder.
            formatter: wraps prompts for the model.
            client: asks the model.
            model: digest of the model's weights.
            max_model_len: context length in tokens.
            yes_token: reply that counts as YES.
            no_token: reply that counts as NO.

        Raises:
            ModelError: one of the two is not a single token.
        """
        self._folder = folder
        self._formatter = formatter
        self._client = client
        self._model = model
        self._max_model_len = max_model_len
        self._words = (yes_token, no_token)
        self._labels = [formatter.single_token(yes_token), formatter.single_token(no_token)]
        self._template = PromptTemplate("score", section.template)
        self._journal = Journal(folder / "scores.jsonl")
        self._results: dict[str, ScoredPair | Rejection] = {}
        self._started = time.monotonic()
        self.tokens = {"prompt": 0}
        self.on_pairs: Callable[[int], None] = lambda pairs: None

    async def judge(self, snippet: Snippet, candidates: Sequence[Candidate]) -> None:
        """Score a snippet's candidates; results are kept for `finish`."""
        wanted: dict[str, tuple[Candidate, list[int]]] = {}
        for candidate, prompt in self._prompts(snippet, candidates):
            key = digest(candidate.id, self._model, *self._labels, *prompt)
            if key in self._journal:
                yes, no = self._journal.rows[key]["yes"], self._journal.rows[key]["no"]
                self._results[candidate.id] = self._scored(candidate, yes, no)
            elif len(prompt) >= self._max_model_len:
                self._reject(candidate, Reason.TOO_LONG, f"{len(prompt)} tokens of prompt")
            else:
                wanted[key] = (candidate, prompt)
        if wanted:
            await self._ask(wanted)
        self.on_pairs(len(candidates))

    async def _ask(self, wanted: dict[str, tuple[Candidate, list[int]]]) -> None:
        prompts = [prompt for _, prompt in wanted.values()]
        try:
            rows = await self._client.label_logprobs(prompts, self._labels)
        except RequestError as error:
            if len(wanted) > 1:  # one bad prompt must not take the others with it
                for key, pair in wanted.items():
                    await self._ask({key: pair})
                return
            (candidate, _), = wanted.values()
            self._reject(candidate, error.reason, str(error))
            return
        self.tokens["prompt"] += sum(map(len, prompts))
        for (key, (candidate, _)), (yes, no) in zip(wanted.items(), rows, strict=True):
            self._journal.append(key, {"candidate_id": candidate.id, "yes": yes, "no": no})
            self._results[candidate.id] = self._scored(candidate, yes, no)

    def finish(self, candidates: Sequence[Candidate], key: str) -> Manifest:
        """Write the stage's files and manifest; every candidate must have gone through `judge`."""
        self._journal.close()
        results = [self._results[candidate.id] for candidate in candidates]
        pairs = [result for result in results if isinstance(result, ScoredPair)]
        rejections = [result for result in results if isinstance(result, Rejection)]
        write_rows(self._folder / "scores.parquet", map(to_dict, pairs), ScoredPair)
        write_rows(self._folder / "rejections.parquet", map(to_dict, rejections), Rejection)
        scores = [pair.lm_score for pair in pairs]
        manifest = Manifest(
            stage="score", key=key, rows_in=len(results), rows_out=len(pairs),
            rejected=dict(Counter(rejection.reason.value for rejection in rejections)),
            seconds=time.monotonic() - self._started, tokens=self.tokens,
            metrics={"mean_lm_score": sum(scores) / len(scores) if scores else None, "prompt": self._template.digest},
        )
        return write_manifest(self._folder, manifest, ["scores.parquet", "rejections.parquet"])

    def _prompts(self, snippet: Snippet, candidates: Sequence[Candidate]) -> list[tuple[Candidate, list[int]]]:
        """Return the candidates with their prompts; one that has none is rejected."""
        yes, no = self._words
        try:
            prompts = self._formatter.response_prompts([(self._template.render(
                language=snippet.language, code=snippet.code, instruction=candidate.instruction, yes=yes, no=no), "")
                for candidate in candidates])
        except TextError as error:
            if len(candidates) > 1:  # one bad text must not take the others with it
                return [pair for candidate in candidates for pair in self._prompts(snippet, [candidate])]
            self._reject(candidates[0], Reason.PARSER_FAILED, str(error))
            return []
        return list(zip(candidates, prompts, strict=True))

    def _scored(self, candidate: Candidate, yes: float, no: float) -> ScoredPair | Rejection:
        score = lm_score(yes, no)
        if math.isnan(score):
            return Rejection(candidate.id, "score", Reason.BAD_SCORE, f"log-probabilities {yes} and {no}")
        return ScoredPair(candidate_id=candidate.id, snippet_id=candidate.snippet_id, yes_logprob=yes, no_logprob=no,
                          lm_score=score, model=self._model, prompt=self._template.digest)

    def _reject(self, candidate: Candidate, reason: Reason, detail: str) -> None:
        self._results[candidate.id] = Rejection(candidate.id, "score", reason, detail)

"""Questions to a chat endpoint whose tokenizer is not here: it is told how to begin, and begins as it likes.

Enters: questions in words. Leaves: replies without the beginning that was asked for, from the journal where they are
known. Part of the frame of stages. Not guaranteed: that the same question gets the same reply of an endpoint that knows
no seeds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

from inverse_instruct.errors import RequestError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import digest
from inverse_instruct.stages.questions import Question, Reply
from inverse_instruct.store.journal import Journal


class ChatQuestions:
    """The questions of one stage to somebody else's model."""

    def __init__(self, client: InferenceClient, name: str, journal: Journal, tokens: Counter[str]) -> None:
        """Take whom to ask.

        Args:
            client: of the endpoint.
            name: what tells its model from others, such as its address and name.
            journal: of what is known.
            tokens: counts of `prompt` and `completion`, which grow with what is asked.
        """
        self._client, self.model, self._journal, self._tokens = client, name, journal, tokens

    async def reply(self, question: Question, sampling: Sampling, seed: int, /, **about: str | int) -> Reply:
        """Return the reply to the first request that the endpoint takes.

        Raises:
            RequestError: it refuses all of them for good.
        """
        key = digest("chat", *about.values(), seed, self.model, repr(sampling), *question.requests, question.beginning)
        if key not in self._journal:
            reply = await self._ask(question, replace(sampling, stop_token_ids=()), seed)
            self._journal.append(key, {**about, **asdict(reply)})
            self._tokens["prompt"] += reply.prompt_tokens
            self._tokens["completion"] += reply.completion_tokens
        row = self._journal[key]
        return Reply(row["text"], row["finish"], row["prompt_tokens"], row["completion_tokens"])

    async def _ask(self, question: Question, sampling: Sampling, seed: int) -> Reply:
        for number, request in enumerate(question.requests, 1):
            try:
                answer = await self._client.chat(_with_beginning(request, question.beginning), sampling, seed)
            except RequestError:
                if number == len(question.requests):  # it may have been too long; the next one has fewer examples
                    raise
                continue
            text = answer.text.lstrip().removeprefix(question.beginning)
            return Reply(text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens)
        raise AssertionError("a question has at least one request")


def _with_beginning(request: str, beginning: str) -> str:
    return f"{request}\n\nBegin your reply with: {beginning}" if beginning else request

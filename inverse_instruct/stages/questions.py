"""What a stage asks its model: each question once, whatever comes.

Enters: questions in words. Leaves: replies and log-probabilities, from the journal where they are known, else from the
engines. A question is known by what its tokens are made from, so going on with a hundred thousand finished rows makes
no tokens; `tests/throughput/resuming.py` measures it. Part of the frame of stages.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.asking import training_tokens
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason, digest
from inverse_instruct.store.journal import Journal


@dataclass(frozen=True)
class Asked:
    """The model that a stage asks."""

    client: InferenceClient
    formatter: PromptFormatter
    digest: str  # of its weights and its tokenizer
    max_model_len: int  # tokens


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in words."""

    requests: tuple[str, ...]
    """The user's words, and the same with fewer and fewer examples: the first that leaves room for a reply is sent."""
    beginning: str = ""
    """Forced first words of the reply, which are not part of what is returned."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, and how its reply is sampled."""

    question: Question
    sampling: Sampling
    seed: int
    about: Mapping[str, str | int] = field(default_factory=dict)
    """What tells it from others, such as the row's id; it is in the journal too."""


@dataclass(frozen=True)
class Reply:
    """One sampled reply."""

    text: str
    finish: str  # `stop`, or `length` where it was cut off
    prompt_tokens: int
    completion_tokens: int


class Questions:
    """The questions of one stage in one round."""

    def __init__(self, asked: Asked, journal: Journal, tokens: Counter[str]) -> None:
        """Take whom to ask.

        Args:
            asked: the model.
            journal: of what is known.
            tokens: counts of `prompt` and `completion`, which grow with what is asked.
        """
        self._asked, self._journal, self._tokens = asked, journal, tokens
        self.model = asked.digest
        self._voice = digest(asked.digest, asked.formatter.prompt_format, asked.formatter.day, asked.max_model_len)

    def know(self, asks: Sequence[Ask]) -> bool:
        """Tell whether all of these have their replies."""
        return all(self._key(ask) in self._journal for ask in asks)

    async def reply(self, question: Question, sampling: Sampling, seed: int, /, **about: str | int) -> Reply:
        """Return the reply to one question.

        Raises:
            RequestError: it has no tokens, leaves no room for a reply, or the server refuses it for good.
        """
        [reply] = await self.replies([Ask(question, sampling, seed, about)])
        if isinstance(reply, RequestError):
            raise reply
        return reply

    async def replies(self, asks: Sequence[Ask]) -> list[Reply | RequestError]:
        """Return the replies to several questions, whose tokens are made at once, or why one has none."""
        keys = list(map(self._key, asks))
        unknown = [place for place, key in enumerate(keys) if key not in self._journal]
        prompts = self._prompts([(asks[place].question, asks[place].sampling.max_tokens) for place in unknown])
        failed: dict[int, RequestError] = {}

        async def send(place: int, prompt: list[int] | RequestError) -> None:
            if isinstance(prompt, RequestError):
                failed[place] = prompt
                return
            try:
                await self._send(keys[place], asks[place], prompt)
            except RequestError as error:
                failed[place] = error

        await asyncio.gather(*map(send, unknown, prompts))
        return [failed[place] if place in failed else self._read(key) for place, key in enumerate(keys)]

    async def logprobs(
        self, questions: Mapping[str, Question], labels: Sequence[int]
    ) -> dict[str, list[float] | RequestError]:
        """Return the log-probabilities of labels as the first token of a reply, or why a question has none.

        Args:
            questions: id -> question; they travel as one request, and alone where that one is refused.
            labels: token ids.

        Returns:
            id -> natural logarithms over the full vocabulary, in the order of the labels.
        """
        keys = {
            name: digest("logprobs", name, self._voice, *labels, *question.requests, question.beginning)
            for name, question in questions.items()
        }
        unknown = [name for name, key in keys.items() if key not in self._journal]
        prompts = dict(zip(unknown, self._prompts([(questions[name], 1) for name in unknown]), strict=True))
        failed = {name: prompt for name, prompt in prompts.items() if isinstance(prompt, RequestError)}
        wanted = {name: prompt for name, prompt in prompts.items() if not isinstance(prompt, RequestError)}
        failed |= await self._ask_logprobs(wanted, keys, labels)
        return {
            name: failed[name] if name in failed else list(self._journal[key]["logprobs"]) for name, key in keys.items()
        }

    async def mean_logprob(self, instruction: str, response: str, /, **about: str | int) -> float:
        """Return the mean log-probability of a response's tokens after an instruction, in the frame of training.

        Args:
            instruction: the user's words.
            response: the reply.
            about: what tells this question from others, such as the row's id; it is in the journal too.

        Returns:
            A natural logarithm; the perplexity is exp of its negative.

        Raises:
            RequestError: it has no tokens, is too long, or the server refuses it for good.
        """
        key = digest("mean", *about.values(), self._voice, instruction, response)
        if key not in self._journal:
            prompt, answer = training_tokens(self._asked.formatter, instruction, response)
            whole = prompt + answer
            if len(whole) >= self._asked.max_model_len:
                raise RequestError(f"{len(whole)} tokens of prompt", Reason.TOO_LONG)
            found = await self._asked.client.prompt_logprobs(whole, len(prompt))
            self._tokens["prompt"] += len(whole)
            self._journal.append(key, {**about, "mean_logprob": fmean(found)})
        return float(self._journal[key]["mean_logprob"])

    def _key(self, ask: Ask) -> str:
        question = ask.question
        return digest(
            "reply",
            *ask.about.values(),
            ask.seed,
            self._voice,
            repr(ask.sampling),
            *question.requests,
            question.beginning,
        )

    async def _send(self, key: str, ask: Ask, prompt: list[int]) -> None:
        answer = await self._asked.client.complete(prompt, ask.sampling, ask.seed)
        self._journal.append(
            key,
            {
                **ask.about,
                "text": answer.text,
                "finish": answer.finish_reason,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
            },
        )
        self._tokens["prompt"] += answer.prompt_tokens
        self._tokens["completion"] += answer.completion_tokens

    def _read(self, key: str) -> Reply:
        row = self._journal[key]
        return Reply(row["text"], row["finish"], row["prompt_tokens"], row["completion_tokens"])

    def _prompts(self, wanted: Sequence[tuple[Question, int]]) -> list[list[int] | RequestError]:
        """Return the token ids of each question that leave so many tokens for the reply, or why there are none."""
        asks = [(request, question.beginning) for question, _ in wanted for request in question.requests]
        try:
            ids = iter(self._asked.formatter.response_prompts(asks) if asks else [])
        except TextError as error:
            if len(wanted) == 1:
                return [RequestError(str(error), Reason.PARSER_FAILED)]
            return [found for each in wanted for found in self._prompts([each])]  # one must not take the others with it
        found: list[list[int] | RequestError] = []
        for question, tokens in wanted:
            prompts = [next(ids) for _ in question.requests]
            fitting = (prompt for prompt in prompts if len(prompt) <= self._asked.max_model_len - tokens)
            found.append(next(fitting, None) or RequestError(f"{len(prompts[-1])} tokens of prompt", Reason.TOO_LONG))
        return found

    async def _ask_logprobs(
        self, prompts: Mapping[str, list[int]], keys: Mapping[str, str], labels: Sequence[int]
    ) -> dict[str, RequestError]:
        if not prompts:
            return {}
        try:
            rows = await self._asked.client.label_logprobs(list(prompts.values()), list(labels))
        except RequestError as error:
            if len(prompts) == 1:
                return dict.fromkeys(prompts, error)
            failed: dict[str, RequestError] = {}
            for name, prompt in prompts.items():  # one bad prompt must not take the others with it
                failed |= await self._ask_logprobs({name: prompt}, keys, labels)
            return failed
        self._tokens["prompt"] += sum(map(len, prompts.values()))
        for name, row in zip(prompts, rows, strict=True):
            self._journal.append(keys[name], {"id": name, "logprobs": list(row)})
        return {}

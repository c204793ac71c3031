"""A model whose tokens are characters, for stages that ask one: it notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inverse_instruct.errors import ModelError, TextError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.stop_tokens import Ending
from inverse_instruct.stages.questions import Asked

UNSPEAKABLE = "\0"
"""A text with this is one that the tokenizer cannot take."""


def spell(text: str) -> list[int]:
    """Return the ids of a text."""
    return [ord(letter) for letter in text]


def read(ids: Sequence[int]) -> str:
    """Return the text of ids."""
    return "".join(map(chr, ids))


class SpellingFormatter(PromptFormatter):
    """The request, a line end, and the forced beginning; words of up to three letters are one token."""

    def __init__(self) -> None:
        self.ending, self.prompt_format, self.day = Ending(0, (0,)), "spelled", "2026-01-01"

    def encode(self, text: str) -> list[int]:
        return spell(text)

    def response_prompts(self, asks: Sequence[tuple[str, str]]) -> list[list[int]]:
        if any(UNSPEAKABLE in request for request, _ in asks):
            raise TextError("the tokenizer cannot take a text")
        return [spell(f"{request}\n{beginning}") for request, beginning in asks]

    def training_ids(self, instruction: str, response: str) -> tuple[list[int], list[int]]:
        [asked] = self.response_prompts([(instruction, "")])
        return asked, spell(response)

    def single_token(self, word: str) -> int:
        if len(word) > 3:
            raise ModelError(f"{word!r} is {len(word)} tokens")
        return label_of(word)


def label_of(word: str) -> int:
    """Return the id of a word that is one token."""
    return int.from_bytes(word.encode(), "big")


class NotingClient(InferenceClient):
    """Answers with what two functions say; `asked` and `judged` have the questions.

    Attributes:
        asked: prompt and seed of each reply.
        judged: prompts and labels of each request for log-probabilities.
        measured: prompt and start of each request for those of a prompt.
    """

    def __init__(
        self,
        reply: Callable[[str, int], str] = lambda prompt, seed: "",
        logprobs: Callable[[str], list[float]] = lambda prompt: [-1.0, -2.0],
    ) -> None:
        self.concurrency = 64
        self._reply, self._logprobs = reply, logprobs
        self.asked: list[tuple[str, int]] = []
        self.judged: list[tuple[list[str], list[int]]] = []
        self.measured: list[tuple[str, int]] = []

    @contextmanager
    def together(self) -> Iterator[None]:
        yield

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        assert seed is not None, "a reply without a seed is another one each time"
        self.asked.append((read(prompt), seed))
        return Completion(self._reply(read(prompt), seed), "stop", len(prompt), 1)

    async def label_logprobs(self, prompts: list[list[int]], labels: Sequence[int]) -> list[list[float]]:
        self.judged.append(([read(prompt) for prompt in prompts], list(labels)))
        return [self._logprobs(read(prompt)) for prompt in prompts]

    async def prompt_logprobs(self, prompt: list[int], start: int) -> list[float]:
        self.measured.append((read(prompt), start))
        return [-0.5 * number for number in range(1, len(prompt) - start + 1)]


def model_of(client: NotingClient, max_model_len: int = 2000) -> Asked:
    """Return what a room is furnished with."""
    return Asked(client, SpellingFormatter(), "digest-of-the-model", max_model_len)

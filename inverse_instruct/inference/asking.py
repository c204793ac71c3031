"""A question to a model, and its reply: by token ids where we have the tokenizer, else as a chat.

Enters: an examiner's `Prompt`. Leaves: the reply's text, the forced beginning included, and the tokens it took. With
token ids the reply is made to begin as the prompt wants; a chat endpoint replies as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from evaluation import Prompt
from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason, digest


class Asker(Protocol):
    """One way to ask a model."""

    @property
    def model(self) -> str:
        """What tells the model from others."""

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        """Return the digest of everything that the reply depends on but the seed.

        Raises:
            RequestError: the prompt cannot be put into tokens.
        """

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        """Return the reply, its forced beginning included.

        Raises:
            RequestError: the server refuses this prompt.
            ServerError: no server answers any more.
        """


@dataclass(frozen=True)
class TokenAsker:
    """Asks for the completion of token ids that were made here."""

    client: InferenceClient
    formatter: PromptFormatter
    model: str
    """Digest of the model's weights."""

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        """Digest the token ids."""
        return digest(self.model, repr(self._sampling(prompt, sampling)), *self._ids(prompt))

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        """Complete the prompt and its beginning."""
        reply = await self.client.complete(self._ids(prompt), self._sampling(prompt, sampling), seed)
        return replace(reply, text=prompt.beginning + reply.text)

    def _ids(self, prompt: Prompt) -> list[int]:
        try:
            if not prompt.request:
                return self.formatter.bare_prompt(prompt.beginning)
            return self.formatter.response_prompt(prompt.request, prompt.beginning)
        except TextError as error:
            raise RequestError(str(error), Reason.PARSER_FAILED) from error

    def _sampling(self, prompt: Prompt, sampling: Sampling) -> Sampling:
        return replace(sampling, stop=prompt.stop, stop_token_ids=self.formatter.ending.stops)


@dataclass(frozen=True)
class ChatAsker:
    """Asks a chat endpoint whose tokenizer is not here; the reply cannot be made to begin in a given way.

    What is a beginning alone cannot be asked here.
    """

    client: InferenceClient
    model: str
    """The endpoint and the name it serves."""

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        """Digest the user's words."""
        return digest(self.model, repr(sampling), prompt.request)

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        """Send the request as the user's message."""
        return await self.client.chat(prompt.request, sampling, seed)


def training_tokens(formatter: PromptFormatter, request: str, response: str) -> tuple[list[int], list[int]]:
    """Return the token ids of a request and of a response, its end included, in the frame of training.

    Raises:
        RequestError: they cannot be put into tokens.
    """
    try:
        return formatter.training_ids(request, response)
    except TextError as error:
        raise RequestError(str(error), Reason.PARSER_FAILED) from error

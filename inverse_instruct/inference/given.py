"""Endpoints that somebody else starts: waited for, and (`inference.reload_endpoints`) given the weights that are asked.

Enters: base URLs, and the model that they are to run. Leaves: what stands behind a client's endpoints. One that was
started again has its first weights again, so it gets the wanted ones before anything more is asked of it: that it was
away is noticed by a failed request, or by the heartbeat within a second, and an engine takes longer to start. Not
guaranteed: endpoints that somebody else gives other weights meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.sections import InferenceSection, ModelSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.canary import SAME, TOLERANCE, Canary, ask_canary, ask_engine, difference, judge_canary
from inverse_instruct.inference.client import InferenceClient, Reach, base_url, endpoint_key, served_name
from inverse_instruct.inference.engine_commands import EngineCommands
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.untied import untied_folder

ASK_AGAIN_SECONDS = 2.0
BEAT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class GivenServers:
    """Endpoints that serve one model: all we can do is wait for them."""

    starts = 0

    def __init__(self, urls: Sequence[str], timeout_seconds: float, key: str | None) -> None:
        """Take their base URLs, how long to wait, and the key that was given for them."""
        self._urls = urls
        self._key = key
        self._timeout_seconds = timeout_seconds

    async def common_name(self) -> str:
        """Return the name under which all of them know the model.

        Raises:
            ServerError: one does not answer, or has another model.
        """
        names = {url: await served_name(url, self._key) for url in self._urls}
        if len(set(names.values())) > 1:
            told = ", ".join(f"{url}: {name!r}" for url, name in names.items())
            raise ServerError(f"the endpoints do not serve the same model ({told}); start the same one on all of them")
        return names[self._urls[0]]

    async def revive(self, *, counted: bool = True) -> None:
        """Return once one of them answers.

        Raises:
            ServerError: none does within the time.
        """
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            for url in self._urls:
                try:
                    await served_name(url, self._key)
                    return
                except ServerError as error:
                    failed = error
            if time.monotonic() > deadline:
                raise ServerError(f"no endpoint has answered for {self._timeout_seconds:.0f} s; the last: {failed}")
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def uncount_restart(self, start: int) -> None:
        """Nothing is counted."""


@dataclass
class Weights:
    """A model for given endpoints."""

    digest: str
    folder: Path  # with an `lm_head` of its own
    formatter: PromptFormatter
    words: tuple[str, str]  # of yes and no
    replaced: Canary | None = None  # as the weights answered that the endpoints had before
    canary: Canary | None = None  # as these answer, once an endpoint has them

    @classmethod
    def of(cls, model: Path, section: ModelSection) -> Weights:
        """Return those of a model folder, spoken to as the section says.

        Raises:
            ModelError: weights of this kind cannot be exchanged.
        """
        digest = model_digest(model)
        formatter = PromptFormatter(model, section.prompt_format, section.template_date)
        return cls(digest, untied_folder(model, digest), formatter, (section.yes_token, section.no_token))


class ReloadedServer(GivenServers):
    """One endpoint that is given the weights of the model that is asked."""

    def __init__(self, url: str, timeout_seconds: float, key: str | None, weights: Weights) -> None:
        """Take its base URL, how long to wait for it, its key and the weights that it is to run."""
        super().__init__([url], timeout_seconds, key)
        self.url = base_url(url)
        self.starts = 0  # how often it was found started again
        self._weights = weights
        self._commands = EngineCommands(self.url, key)
        self._looked = 0.0  # when it was last known to run the weights

    async def take(self) -> None:
        """Load the weights, and see how they answer.

        Raises:
            ServerError: it does not take them, or they give no numbers, or others than at another endpoint.
        """
        wanted = self._weights
        await self._commands.load(wanted.folder)
        wanted.canary = judge_canary(await self._ask(), known=wanted.canary, stale=wanted.replaced)
        self._looked = time.monotonic()

    async def revive(self, *, counted: bool = True) -> None:
        """Return once it answers with the wanted weights, which it is given again unless it has them."""
        began = time.monotonic()
        if self._looked and began - self._looked < BEAT_SECONDS:
            return  # of many requests that failed together, the first has seen to it
        was_away = not await self._answers()
        await super().revive(counted=counted)
        change = difference(await self._ask(), self._weights.canary) if self._weights.canary else math.inf
        has_restarted = was_away or change > TOLERANCE
        if has_restarted or change > SAME:
            logger.warning("%s is given its weights again: it was away, or answers otherwise than they do", self.url)
            await self.take()
        self.starts += has_restarted
        self._looked = time.monotonic()

    async def _answers(self) -> bool:
        try:
            await served_name(self.url, self._key)
        except ServerError:
            return False
        return True

    async def _ask(self) -> Canary:
        reach = Reach((self.url,), await served_name(self.url, self._key), self._key)
        wanted = self._weights
        return await ask_engine(reach, lambda client: ask_canary(client, wanted.formatter, wanted.words))

    async def watch(self, client: InferenceClient) -> None:
        """Have it looked after whenever it does not answer, also while nothing is asked of it; until it is lost."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if not await self._answers():
                try:
                    await client.revive(self.url)
                except ServerError:
                    return  # whoever asks next is told


async def reload_problems(section: InferenceSection) -> list[str]:
    """Return what is wrong with endpoints that are to take weights, each with its key and remedy; change nothing."""
    problems = []
    for number, url in enumerate(section.endpoints):
        try:
            if not await EngineCommands(base_url(url), endpoint_key()).is_offered():
                problems.append(
                    f"inference.endpoints.{number}: {url} takes no weights; start that server with "
                    "VLLM_SERVER_DEV_MODE=1, or set inference.reload_endpoints: false"
                )
        except ServerError as error:
            problems.append(f"inference.endpoints.{number}: {error}; start that server")
    return problems

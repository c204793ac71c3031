"""A process that asks ahead, see `ahead`: every n-th group of a stage, into journals of its own.

Enters: its share of the work. Leaves: journals, and through a pipe how far it is. It gives up where a server is in
trouble: to bring that back, and to find a row that kills it, is the stage's.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from evaluation.limited_process import end_with_parent
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import InverseInstructError, ServerError
from inverse_instruct.inference.client import InferenceClient, Reach
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.stages.play import ask_part
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room, Source

NEWS_SECONDS = 0.2  # between two messages


@dataclass(frozen=True)
class Share:
    """What one process does."""

    config: RunConfig
    stages: Mapping[str, tuple[Place, Mapping[str, Source]]]
    model: Path
    digest: str  # of the model
    reach: Reach
    part: int
    parts: int


@dataclass(frozen=True)
class News:
    """How far a process is."""

    groups: float  # of its own, that are known
    tokens: tuple[Mapping[str, int], ...]  # asked for since it started, by stage
    is_done: bool = False


class _LeftToTheStage:
    """What stands behind the endpoints: whoever plays the stage."""

    starts = 0

    async def revive(self, *, counted: bool = True) -> None:
        """Give up.

        Raises:
            ServerError: always.
        """
        raise ServerError("a server is in trouble")

    def uncount_restart(self, start: int) -> None:
        """Nothing is counted."""


def ask(share: Share, pipe: Connection) -> None:
    """Ask all that a share needs, and tell through the pipe how far that is."""
    end_with_parent()
    try:
        asyncio.run(_ask_share(share, pipe))
    except InverseInstructError as error:
        sys.exit(f"process {share.part} of {share.parts} that ask ahead gives up: {error}")


async def _ask_share(share: Share, pipe: Connection) -> None:
    config, section, told = share.config, share.config.inference, time.monotonic()
    stages = {stage.name: stage for stage in recipe_of(config).stages}
    formatter = PromptFormatter(share.model, config.model.prompt_format, config.model.template_date)
    groups = 0
    async with InferenceClient(
        dict.fromkeys(share.reach.urls, _LeftToTheStage()),
        share.reach.model,
        concurrency=math.ceil(section.concurrency / share.parts),
        timeout_seconds=section.request_timeout_seconds,
        max_failed_share=section.max_failed_share,
        key=share.reach.key,
    ) as client:
        asked = Asked(client, formatter, share.digest, config.model.max_model_len)
        rooms = [
            Room(stages[name], config, place, inputs, asked, part=share.part, parts=share.parts)
            for name, (place, inputs) in share.stages.items()
        ]

        def tell(*, is_done: bool = False) -> None:
            pipe.send(News(groups, tuple(dict(room.tokens) for room in rooms), is_done))

        def on_group() -> None:
            nonlocal groups, told
            groups += 1
            if time.monotonic() - told > NEWS_SECONDS:
                told = time.monotonic()
                tell()

        await ask_part(rooms, on_group)
        tell(is_done=True)

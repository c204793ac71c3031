"""Questions that draw on earlier answers, such as those of a growing pool, asked many at a time all the same.

Within a wave nobody sees what comes of the others; between waves everybody sees all that came before. So what is asked
depends on the size of a wave alone, never on order, concurrency or restarts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

from inverse_instruct.stages.room import Room

Question = TypeVar("Question")
Answer = TypeVar("Answer")


async def in_waves(
    room: Room, questions: Iterable[Question], size: int, ask: Callable[[Question], Awaitable[Answer]]
) -> AsyncIterator[Answer]:
    """Yield the answers in the order of the questions; a wave starts when all answers of the one before were taken.

    Args:
        room: says how many are under way at once.
        questions: taken wave by wave, so they may be made from what has come of the waves before.
        size: questions of a wave; another size gives other answers.
        ask: answers one question, from what is known when its wave starts.
    """
    source = iter(questions)
    while wave := list(islice(source, size)):
        answers = [answer async for answer in room.each(wave, ask)]
        for answer in answers:
            yield answer

"""What a wave is asked depends on the waves before it, never on who is quicker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.stages.select import SELECT
from inverse_instruct.stages.waves import in_waves
from tests.playing import room_of
from tests.stages.spelled import NotingClient, model_of


@pytest.mark.parametrize("concurrency", [1, 3, 64])
@pytest.mark.parametrize("luck", [0, 1])
def test_a_wave_sees_what_came_before_it_and_nothing_else(tmp_path: Path, concurrency: int, luck: int) -> None:
    pool: list[str] = []
    delays = random.Random(luck)

    def questions() -> Iterator[tuple[int, int]]:
        for number in range(10):
            yield number, len(pool)

    async def ask(question: tuple[int, int]) -> str:
        seen = len(pool)
        await asyncio.sleep(delays.random() / 100)
        number, known = question
        assert seen == len(pool) == known
        return f"{number} knows {known}"

    async def play() -> None:
        room = room_of(SELECT, tmp_path)
        room.asked = model_of(NotingClient())
        room.asked.client.concurrency = concurrency
        async for answer in in_waves(room, questions(), 4, ask):
            pool.append(answer)

    asyncio.run(play())
    assert pool == [f"{number} knows {number // 4 * 4}" for number in range(10)]

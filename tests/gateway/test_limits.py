"""Who may come in: bounded, in order, and nobody is lost when one who waits goes away."""

from __future__ import annotations

import asyncio

import pytest

from inverse_instruct.gateway.limits import Admission
from inverse_instruct.web.api_error import ApiError


async def hold(admission: Admission, number: int, order: list[int], seconds: float = 0.01) -> None:
    async with admission.slot():
        order.append(number)
        assert admission.in_flight <= 2
        await asyncio.sleep(seconds)


def test_two_at_once_in_the_order_of_coming_and_the_rest_are_refused() -> None:
    async def main() -> None:
        admission, order = Admission(2, 5), list[int]()
        results = await asyncio.gather(
            *(hold(admission, number, order) for number in range(10)), return_exceptions=True
        )
        assert order == list(range(7))
        refused = [result for result in results if isinstance(result, ApiError)]
        assert [error.status for error in refused] == [429] * 3 and refused[0].retry_after
        assert (admission.in_flight, admission.waiting) == (0, 0)

    asyncio.run(main())


def test_closed_means_waiting_and_opening_lets_in() -> None:
    async def main() -> None:
        admission, order = Admission(2, 5), list[int]()
        async with admission.closed():
            tasks = [asyncio.create_task(hold(admission, number, order)) for number in range(4)]
            await asyncio.sleep(0.02)
            assert (order, admission.waiting) == ([], 4)
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3]

    asyncio.run(main())


def test_who_was_let_in_just_before_closing_is_in() -> None:
    async def main() -> None:
        admission, order = Admission(1, 5), list[int]()
        first = admission.slot()
        await first.__aenter__()
        tasks = [asyncio.create_task(hold(admission, number, order)) for number in range(2)]
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        async with admission.closed():
            assert order == [0]
            await tasks[0]
            await asyncio.sleep(0.02)
            assert order == [0] and admission.in_flight == 0
        await tasks[1]

    asyncio.run(main())


def test_who_goes_away_in_the_moment_a_place_is_free_takes_none() -> None:
    async def main() -> None:
        admission, order = Admission(1, 5), list[int]()
        first = admission.slot()
        await first.__aenter__()
        tasks = [asyncio.create_task(hold(admission, number, order)) for number in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # it hears of that when this one next waits
        await first.__aexit__(None, None, None)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError) and results[1:] == [None, None]
        assert order == [1, 2] and (admission.in_flight, admission.waiting) == (0, 0)

    asyncio.run(main())


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_who_goes_away_while_waiting_takes_no_place(pause: float) -> None:
    async def main() -> None:
        admission, order = Admission(2, 9), list[int]()
        tasks = [asyncio.create_task(hold(admission, number, order)) for number in range(6)]
        await asyncio.sleep(pause)
        for task in tasks[2:4]:  # at 0.02 s they have been let in, or just now are
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order[-2:] == [4, 5]
        assert (admission.in_flight, admission.waiting) == (0, 0)

    asyncio.run(main())

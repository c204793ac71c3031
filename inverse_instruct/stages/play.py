"""Playing a stage in its room, whoever has furnished it: the loop, a command on files, a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from inverse_instruct.errors import StageError
from inverse_instruct.inference.connect import connect_writer
from inverse_instruct.stages.room import REJECTIONS, Room
from inverse_instruct.stages.stage import Groups, Outcome, Stage
from inverse_instruct.store.manifest import Manifest


def play(room: Room) -> Manifest:
    """Play a stage that asks no model.

    Raises:
        InverseInstructError: it failed; playing it again in the same folder goes on from there.
    """
    with leaving([room]):
        assert not isinstance(room.stage.run, Groups), f"{room.stage.name} asks a model"
        room.stage.run(room)
        manifest = room.finish()
    room.stage.tidy(room.place.folder)
    return manifest


def refuse_empty(stage: Stage, manifest: Manifest, folder: Path) -> Manifest:
    """Return the manifest if the stage has kept a row, or may keep none.

    Raises:
        StageError: with the counts and the remedy.
    """
    if stage.if_empty and not manifest.rows_out:
        counts = ", ".join(f"{reason} {count}" for reason, count in Counter(manifest.rejected).most_common())
        raise StageError(
            f"none of {manifest.rows_in} rows gives a {stage.unit} ({counts or 'no rows at all'}); "
            f"{folder / REJECTIONS} says why for each row; {stage.if_empty}"
        )
    return manifest


Ready = Callable[[int], Awaitable[None]]
"""Returns once it is a group's turn, by its number."""
Through = Callable[[Any], Awaitable[list[Outcome]]]


async def at_once(number: int) -> None:
    """Let every group have its turn."""


async def work(rooms: Sequence[Room], ready: Ready = at_once) -> None:
    """Do the work of a stage that asks a model, or of two of them one behind the other; files are left open.

    Args:
        rooms: with a model in each. Groups of the first go through all.
        ready: when a group may be worked on.
    """
    run = rooms[0].stage.run
    async with _with_endpoint(rooms):
        if not isinstance(run, Groups):
            await run(rooms[0])  # type: ignore[misc]
            return
        rooms[0].progress.expect(run.total(rooms[0]))
        through = _through(rooms)

        async def in_turn(numbered: tuple[int, Any]) -> list[Outcome]:
            await ready(numbered[0])
            return await through(numbered[1])

        async for outcomes in rooms[0].each(enumerate(run.of(rooms[0])), in_turn):
            for room, outcome in zip(rooms, outcomes, strict=True):
                room.take(outcome)


async def ask_part(rooms: Sequence[Room], on_group: Callable[[], None]) -> None:
    """Ask what the groups of one process need, every so many of them, so that its journals have it; keep no row.

    Args:
        rooms: as of `work`, each with the number of its part.
        on_group: called after each of these groups, in their order.
    """
    run = rooms[0].stage.run
    assert isinstance(run, Groups)
    async with _with_endpoint(rooms):
        groups = islice(run.of(rooms[0]), rooms[0].part - 1, None, rooms[0].parts)
        async for _ in rooms[0].each(groups, _through(rooms)):
            on_group()


@asynccontextmanager
async def _with_endpoint(rooms: Sequence[Room]) -> AsyncIterator[None]:
    """Open the endpoint that writes, where the config names one and one of the stages has it write."""
    config = rooms[0].config
    if config.writer.endpoint is None or not any("writer" in room.stage.sections for room in rooms):
        yield
        return
    async with connect_writer(config.writer, config.inference) as endpoint:
        for room in rooms:
            room.endpoint = endpoint
        yield


def _through(rooms: Sequence[Room]) -> Through:
    """Return what takes a group through the stages."""
    workers = [room.worker() for room in rooms]

    async def through(group: Any) -> list[Outcome]:
        outcomes = [await workers[0](group)]
        for worker in workers[1:]:
            outcomes.append(await worker((group, list(outcomes[-1].kept))))
        return outcomes

    return through


@contextmanager
def leaving(rooms: Sequence[Room]) -> Iterator[None]:
    """Drop unfinished files where the block fails; what the journals hold stays."""
    try:
        yield
    except BaseException as error:
        for room in rooms:
            room.leave(error)
        raise

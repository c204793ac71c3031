"""What happens in a run, as Server-Sent Events.

Enters: a run, and the id of the last event that a client has. Leaves: the ledger's events (`data: {...}`, with `id`),
each stage whenever it has got further (`event: stage`) and the run's state whenever it changes (`event: state`). Stages
and states are sent as they are now, without an id: a client that comes back gets its missed events, and where each
stage is. Not guaranteed: that every step of progress is seen; the ledger is looked at once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from sse_starlette.event import JSONServerSentEvent

from inverse_instruct.loop_service.service import LoopService
from inverse_instruct.store.status import StageStatus

LOOK_SECONDS = 1.0


async def stream_events(
    service: LoopService, name: str, last_id: int, follow: bool
) -> AsyncIterator[JSONServerSentEvent]:
    """Yield what a client does not have yet, and if it follows, what comes, until it goes away."""
    stages: Sequence[StageStatus] = ()
    state: dict[str, Any] = {}
    while True:
        run = await asyncio.to_thread(service.describe, name)
        for event in run.status.events:
            if event.id > last_id:
                last_id = event.id
                yield JSONServerSentEvent(asdict(event), id=str(last_id))
        for stage in run.status.stages:
            if stage not in stages:
                yield JSONServerSentEvent(asdict(stage), event="stage")
        stages = run.status.stages
        now = {key: getattr(run, key) for key in ("state", "reason", "queue_position")}
        if now != state:
            state = now
            yield JSONServerSentEvent(state, event="state")
        if not follow:
            return
        await asyncio.sleep(LOOK_SECONDS)

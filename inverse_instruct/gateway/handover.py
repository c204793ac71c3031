"""Devices that the gateway has whenever no run behind it wants them, and leaves to the run that does.

Enters: the two locks of `SharedDevices`, looked at twice a second. Leaves: engines that are asleep or gone, once their
requests have ended, before the run has the devices; and engines that are back when nothing of the run is left. A run
that is killed while the requests end is not waited for. Not guaranteed: engines that are given and do not fall asleep;
the devices are kept then, and the run says after a while that it has not got them.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from inverse_instruct.errors import ServerError
from inverse_instruct.gateway.availability import Availability
from inverse_instruct.gateway.deployed import Deployed
from inverse_instruct.gateway.engines import Engine
from inverse_instruct.system.shared_devices import SharedDevices

LOOK_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Handover:
    """One gateway's side."""

    def __init__(
        self,
        shared: SharedDevices,
        deployed: Deployed,
        awake: asyncio.Event,
        availability: Availability,
        *,
        sleeps: bool,
    ) -> None:
        """Have no devices yet.

        Args:
            shared: the locks.
            deployed: the engines.
            awake: cleared while the devices are not the gateway's; no engine may be started then.
            availability: what clients are told.
            sleeps: whether engines sleep in the meantime; else they are stopped.
        """
        self._shared, self._deployed, self._awake, self._availability = shared, deployed, awake, availability
        self._sleeps = sleeps
        self._has_devices = False
        awake.clear()

    async def look(self) -> bool:
        """Leave the devices to a run, or take them back; tell whether they were taken back just now."""
        wish = await asyncio.to_thread(self._shared.wish)
        if wish is None:
            if self._awake.is_set():
                return False
            self._has_devices = self._has_devices or await asyncio.to_thread(self._shared.take_if_free)
            if self._has_devices:
                await self._resume()
            return self._has_devices
        await self._rest(wish)
        if self._has_devices and await self._drained() and await self._off_devices():
            self._has_devices = False
            self._shared.release()
            logger.info("%s, the gateway has left them", wish)
        return False

    async def _rest(self, wish: str) -> None:
        """Take no more requests, and start no more engines."""
        if self._availability.state == "paused":
            return
        async with AsyncExitStack() as held:
            for engine in self._deployed.engines:
                await held.enter_async_context(engine.changing)  # none is just being started
            self._awake.clear()
            self._availability.set("paused", f"the engines rest: {wish}")

    async def _drained(self) -> bool:
        """Wait for the requests in flight; tell whether they have ended before the run has."""
        draining = asyncio.create_task(self._deployed.drain_all())
        while not draining.done():
            if await asyncio.to_thread(self._shared.wish) is None:
                draining.cancel()
                return False
            await asyncio.wait({draining}, timeout=LOOK_SECONDS)
        return True

    async def _off_devices(self) -> bool:
        """Put the engines to sleep, or stop them; tell whether they are off the devices."""
        serving = self._deployed.serving
        if serving is None:
            return True
        if self._sleeps:
            return all(await asyncio.gather(*map(_put_to_sleep, serving.engines)))
        self._deployed.serving = None
        await self._deployed.retire(serving)
        return True

    async def _resume(self) -> None:
        serving = self._deployed.serving
        await asyncio.gather(*map(_wake, serving.engines if serving else ()))
        if serving:
            self._availability.set("serving")
        else:
            self._availability.set_waiting()
        self._awake.set()
        logger.info("the gateway has the devices")


async def _put_to_sleep(engine: Engine) -> bool:
    async with engine.changing:
        try:
            await engine.sleep()
        except ServerError as error:
            logger.warning("%s", error)
            await engine.stop()  # its supervisor starts it again once the devices are back
            return engine.server is not None
    return True


async def _wake(engine: Engine) -> None:
    async with engine.changing:
        try:
            await engine.commands.send("wake_up")
        except ServerError as error:
            logger.warning("%s", error)
            await engine.stop()  # its supervisor starts it again

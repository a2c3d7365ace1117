"""The observer of one target: sweeps and single looks, as often as needed and as cheap as possible.

Quiet: one List sweep each interval. While AWS is at work on mappings of ours: looks about once a second, by
Get or by sweep, whichever takes fewer calls; while many creations wait for the budget, rarely, for each
look delays them. Tells the reconciler which mappings changed. One task for each target.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Collection

from esm_operator.aws import errors
from esm_operator.aws.budget import Priority
from esm_operator.aws.client import MappingsClient

logger = logging.getLogger(__name__)

#: Seconds between looks while something is in transition.
FAST = 1.0
#: Seconds between looks while many creations wait.
CROWDED = 15.0
#: How many waiting creations are many.
CROWD = 100
#: How many mappings one List answers at most (AWS Lambda, ListEventSourceMappings).
PAGE = 100


#: The longest pause after looks that failed, in seconds; and while something is in transition.
_MOST_FAILING, _MOST_FAILING_MOVING = 60.0, 5.0


class Observer:
    """Keeps the inventory of one target fresh."""

    def __init__(
        self,
        client: MappingsClient,
        *,
        interval: float,
        ours: Callable[[Collection[str]], list[str]],
        creations_pending: Callable[[], int],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[], None],
    ) -> None:
        """
        Args:
            client: the target's client.
            interval: seconds between sweeps when all is quiet.
            ours: of some UUIDs, those that belong to resources.
            creations_pending: how many creations wait.
            changed: told of UUIDs whose mapping changed.
            waiting: told that the first sweep is in, or has failed: ``failure`` says why.
        """
        self._client = client
        self._interval = interval
        self._ours = ours
        self._creations_pending = creations_pending
        self._changed = changed
        self._waiting = waiting
        self.failure: errors.Failure | None = None
        self._wake = asyncio.Event()
        self._swept_at = -math.inf
        self._jitter = 0.0
        self._failures = 0

    def wake(self) -> None:
        """Something has begun: look again soon."""
        self._wake.set()

    def retry(self) -> None:
        """If the last look failed, look again at once."""
        if self._failures:
            self._failures = 0
            self.wake()

    async def run(self) -> None:
        """Observe until cancelled."""
        while True:
            started = time.monotonic()
            try:
                await self._look()
                self._failures = 0
                self.failure = None
            except Exception as error:
                self._failures += 1
                self.failure = errors.understand_any(error)
                logger.warning("Looking at the mappings failed: %s", self.failure.message)
                if not self._client.inventory.swept:
                    self._waiting()
            await self._pause(started)

    async def _look(self) -> None:
        inventory = self._client.inventory
        if not inventory.swept or time.monotonic() >= self._quiet_until():
            try:
                await self._sweep()
            except Exception:
                await self._get(self._moving())  # one bad page must not keep what moves from being seen
                raise
            return
        seen_before = time.monotonic() - self._period()
        moving = [uuid for uuid in self._moving() if inventory.seen(uuid) <= seen_before]
        if self._pages() < len(moving):
            await self._sweep()
        elif moving:
            await self._get(moving)

    async def _sweep(self) -> None:
        began = time.monotonic()
        first = not self._client.inventory.swept
        found = [mapping async for page in self._client.sweep() for mapping in page]
        changed = self._client.inventory.record_sweep(found, began)
        self._swept_at = began
        self._jitter = random.uniform(0, 1)
        logger.debug("Swept %d mappings, %d changed", len(found), len(changed))
        if first:
            self._waiting()
        if changed:
            self._changed(changed)

    async def _get(self, uuids: list[str]) -> None:
        async def look(uuid: str) -> None:
            if await self._client.get(uuid, Priority.TRANSITION):
                self._changed([uuid])

        results = await asyncio.gather(*(look(uuid) for uuid in uuids), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _pause(self, started: float) -> None:
        """Wait until the next look is due, which something that has begun may bring forward."""
        while True:
            self._wake.clear()
            left = self._next_look(started) - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _next_look(self, started: float) -> float:
        """Monotonic time at which to look again, in seconds."""
        moving = self._moving()
        if self._failures:
            return started + min(_MOST_FAILING_MOVING if moving else _MOST_FAILING, 2.0**self._failures)
        if not moving:
            return self._quiet_until()
        oldest = min(self._client.inventory.seen(uuid) for uuid in moving)
        return min(self._quiet_until(), oldest + self._period())

    def _quiet_until(self) -> float:
        return self._swept_at + self._interval + self._jitter

    def _moving(self) -> list[str]:
        return self._ours(self._client.inventory.in_transition())

    def _period(self) -> float:
        """Seconds between two looks at a mapping in transition."""
        if self._creations_pending() > CROWD:
            return CROWDED
        return max(FAST, min(len(self._moving()), self._pages()) / self._client.budget.rate)

    def _pages(self) -> int:
        return max(1, math.ceil(len(self._client.inventory) / PAGE))

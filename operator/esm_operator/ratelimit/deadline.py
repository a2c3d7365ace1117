"""A deadline that other tasks can bring forward. What looks at AWS again and again waits by it."""

import asyncio
import math
from typing import Protocol

from esm_operator.clock import monotonic


class Schedule(Protocol):
    """What decides when something is due."""

    def next_due(self) -> float:
        """Monotonic time at which it is due, in seconds; infinity: not before it is asked again."""
        ...


class Deadline:
    """Waits until something is due. Within one event loop."""

    def __init__(self) -> None:
        self._recheck = asyncio.Event()

    def recheck(self) -> None:
        """Ask the schedule again, because it may answer another time by now."""
        self._recheck.set()

    async def until(self, schedule: Schedule, *, together: float = 0.0) -> None:
        """Wait until something is due.

        Args:
            schedule: asked each time that its last answer has come, and after :meth:`recheck`.
            together: seconds in which several calls of :meth:`recheck` are taken together.
        """
        while True:
            self._recheck.clear()
            left = schedule.next_due() - monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left if left < math.inf else None):
                    await self._recheck.wait()
                    await asyncio.sleep(together)
            except TimeoutError:
                continue

"""A deadline that other tasks can bring forward. The tasks that read from AWS periodically wait by it."""

import asyncio
import math
from collections.abc import Callable

from esm_operator.clock import monotonic


class Deadline:
    """Waits until something is due. For one event loop."""

    def __init__(self) -> None:
        self._recheck = asyncio.Event()

    def recheck(self) -> None:
        """Call ``next_due`` again, because it may return another time by now."""
        self._recheck.set()

    async def until(self, next_due: Callable[[], float], *, together: float = 0.0) -> None:
        """Wait until something is due.

        Args:
            next_due: returns the monotonic time at which it is due, in seconds; infinity: not before :meth:`recheck`.
                Called again at that time and after :meth:`recheck`.
            together: seconds in which several calls of :meth:`recheck` count as one.
        """
        while True:
            self._recheck.clear()
            left = next_due() - monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left if left < math.inf else None):
                    await self._recheck.wait()
                    await asyncio.sleep(together)
            except TimeoutError:
                continue

"""An alarm: waiting until a moment that may be brought forward. What looks at AWS again and again waits by it."""

import asyncio
import math
import time
from collections.abc import Callable


class Deadline:
    """For one who waits, and others who ring. Within one event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """The moment that is waited for may be another."""
        self._rung.set()

    async def until(self, moment: Callable[[], float], *, together: float = 0.0) -> None:
        """Wait until a moment has come.

        Args:
            moment: asked for the monotonic time, in seconds; infinity: not before somebody rings. Asked again each
                time that it has come, or somebody has rung.
            together: seconds in which those who ring are taken together.
        """
        while True:
            self._rung.clear()
            left = moment() - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left if left < math.inf else None):
                    await self._rung.wait()
                    await asyncio.sleep(together)
            except TimeoutError:
                continue

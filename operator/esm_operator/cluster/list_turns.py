"""The turns of lists: a few lists at the same time, in the order in which they were needed.

Lists of many large objects take much memory, and delay other requests to the API server, including those for the Lease.
When the operator starts, it lists all kinds that resources reference. A slow list loses its turn after some seconds, so
that kinds whose extension API server does not answer do not delay other kinds for long. Reflectors share the turns.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

#: Lists at the same time, and the seconds for which a list keeps its turn.
_MOST, _LONGEST = 3, 10.0


class ListTurns:
    """For one event loop.

    Example::

        async with self._turns.turn():
            page = await self._kubernetes.list_pages(path)
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MOST)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn. The turn ends with the block, or after :data:`_LONGEST` seconds."""
        await self._free.acquire()
        has_turn = True

        def end() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self._free.release()

        timer = asyncio.get_running_loop().call_later(_LONGEST, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

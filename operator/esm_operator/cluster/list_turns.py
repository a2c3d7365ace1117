"""The turns of lists: a few lists at the same time, in the order in which they were needed.

Lists of many large objects take much memory, and delay other requests to the API server, those for the Lease too. All
kinds that resources reference are listed when the operator starts. A list that takes long keeps its turn no longer, so
that kinds whose extension API server does not answer delay no others for long. Reflectors share the turns.
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
        """Wait for a turn, and have it until the block ends or has taken too long."""
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

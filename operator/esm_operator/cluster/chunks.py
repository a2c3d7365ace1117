"""Lists of the watch in chunks, the next of which is asked for when the last one is taken in.

kopf asks for one chunk after the other, however far its workers are, so that all objects of a large list would be
in memory at once, as they came from the API server: 15 KB each. Its session, which is ours to make, lets the next
request wait.
"""

import asyncio
import time
from types import SimpleNamespace

import aiohttp

from esm_operator.cluster.resource import PLURAL

#: Seconds without an object that was taken in, after which the chunk is done.
_STILL = 0.03
#: The longest that a request waits, in seconds: the API server forgets a list after minutes.
_LONGEST = 5.0


class Chunks:
    """Holds back the next chunk of a list. For one event loop."""

    def __init__(self) -> None:
        self._taken = 0

    def took(self) -> None:
        """An object was taken in."""
        self._taken += 1

    def trace(self) -> aiohttp.TraceConfig:
        """For the session whose lists wait."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._before_request)
        return trace

    async def _before_request(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        if "continue" not in request.url.query or request.url.name != PLURAL:
            return
        until = time.monotonic() + _LONGEST
        while time.monotonic() < until:
            taken = self._taken
            await asyncio.sleep(_STILL)
            if self._taken == taken:
                return

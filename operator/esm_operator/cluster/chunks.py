"""Lists of the watch in chunks, the next of which is asked for when the last one is taken in.

kopf asks for one chunk after the other, however far its workers are, so that all objects of a large list would be
in memory at once, as they came from the API server: 15 KB each. Its session, which is ours to make, lets the next
request wait.
"""

import asyncio
import time
from types import SimpleNamespace

import aiohttp
import kopf

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

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The session for kopf, whose lists wait.

        Args:
            info: how the API server is reached, and as whom.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._before_request)
        return kopf.AiohttpSession(
            server=info.server,
            priority=info.priority,
            default_namespace=info.default_namespace,
            expiration=info.expiration,
            aiohttp_session=aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
                headers=info.as_http_headers(),
                proxy=info.proxy_url,
                trust_env=info.trust_env,
                trace_configs=[trace],
            ),
        )

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

"""Logins of kopf to the API server, each with a session of the operator, and at a limited rate.

When credentials are refused (401), kopf calls the login handler again. kopf recognizes credentials that were refused
before, but not sessions, because no two sessions are equal. Therefore this module counts logins with the same
credentials. Each retry waits longer, and after some retries the login fails. kopf retries a failed login after 60 s.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import kopf

from esm_operator.adapters.aiohttp_hooks import MOST_OF_OBJECT, MOST_OF_PAGE, limited_response
from esm_operator.adapters.kopf_settings import ChunkSize
from esm_operator.adapters.kubernetes_client import configuration
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff

#: Seconds within which a login with the same credentials counts as a retry.
_SOON = 60.0
#: Tries with the same credentials, and the longest pause between two, in seconds.
_MOST_TRIES, _LONGEST = 5, 10.0


class KopfCredentials:
    """Makes the sessions. For one event loop."""

    def __init__(
        self, traces: Sequence[Callable[[], aiohttp.TraceConfig]] = (), chunk_size: ChunkSize | None = None
    ) -> None:
        """Each session gets a trace of each function. ``chunk_size`` is halved when an answer is too large."""
        self._traces = traces
        self._responses = limited_response(MOST_OF_PAGE, MOST_OF_OBJECT, (chunk_size or ChunkSize()).halve)
        self._last: kopf.ConnectionInfo | None = None
        self._at = 0.0
        self._tries = 0

    async def login(self, **arguments: Any) -> kopf.AiohttpSession | None:
        """kopf's login handler. Returns None without a cluster. Raises LoginError after several refusals."""
        info = await asyncio.to_thread(kopf.login_via_client, **arguments)
        if info is None:
            return None
        now = monotonic()
        again = info == self._last and now - self._at < _SOON
        self._tries = self._tries + 1 if again else 0
        if self._tries >= _MOST_TRIES:
            raise kopf.LoginError("The API server refuses the operator's credentials; see its ServiceAccount")
        if again:
            await asyncio.sleep(backoff.exponential(self._tries, 1.0, _LONGEST))
        self._last, self._at = info, monotonic()
        return kopf.AiohttpSession(
            server=info.server,
            priority=info.priority,
            default_namespace=info.default_namespace,
            expiration=info.expiration,
            aiohttp_session=aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
                headers=info.as_http_headers(),
                proxy=(await configuration()).proxy,  # kopf does not look for a proxy
                trust_env=info.trust_env,
                trace_configs=[trace() for trace in self._traces],
                response_class=self._responses,
            ),
        )

"""The servers of the probes and of the metrics, which have ports of their own.

A process is alive if its event loop answers, and ready if it knows all resources and leads or could lead. A refusal by
AWS appears in the answer, but does not make a process unready, because then no rollout could correct it.

Everybody in the pod's network can read the answers of the probes. So these contain no account, ARN or name. The log
has the details.
"""

import gzip
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from esm_operator.clock import monotonic
from esm_operator.metrics.http_server import HttpServer, Request, Response, text
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Seconds for which a scrape is repeated to others, because a scrape takes time of the event loop.
FRESH = 0.25
#: Seconds after which a lasting cause is logged again.
_QUIET = 600.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the process is ready."""

    ready: bool
    summary: str
    """The state, or why the process is not ready, as sentences that everybody may read."""
    details: str = ""
    """The same with all values, for the log. Empty: the log has them already."""


class ProbeServer:
    """An HTTP server with ``/healthz`` and ``/readyz``."""

    def __init__(self, address: str) -> None:
        """The address is ``host:port``; empty: there is no server."""
        self.readiness: Callable[[], Readiness] = lambda: Readiness(False, "The operator is starting.")
        self._server = HttpServer(address, {"/healthz": self._healthz, "/readyz": self._readyz})
        self._logged = ReportFilter(_QUIET)

    async def start(self) -> None:
        """Begin to answer. Raises OSError if the address cannot be used."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop answering."""
        await self._server.stop()

    async def _healthz(self, _: Request) -> Response:
        return text(HTTPStatus.OK, "alive")

    async def _readyz(self, _: Request) -> Response:
        now = self.readiness()
        if now.details and self._logged.admit("", now.summary):
            logger.warning("The process is not ready. %s", now.details)
        elif now.ready:
            self._logged.clear()
        status = HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return text(status, f"{'ready' if now.ready else 'not ready'}: {now.summary}")


class ClientCheck(Protocol):
    """Decides which clients may read the metrics."""

    async def authorize(self, header: str) -> Response | None:
        """Check a client by its header Authorization. Returns the refusal; None: the client may read the metrics."""
        ...

    def knows(self, header: str) -> bool:
        """Whether the client with this header was allowed at its last check."""
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


class MetricsServer:
    """An HTTP server with ``/metrics``."""

    def __init__(
        self,
        address: str,
        *,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        clients: ClientCheck | None = None,
    ) -> None:
        """
        Args:
            address: ``host:port``; empty: there is no server.
            tls: the TLS context of the next connection. None: the connection is not encrypted.
            clients: decides which clients may read the metrics. None: all.
        """
        self._clients = clients
        self._server = HttpServer(address, {"/metrics": self._metrics}, tls, self._knows if clients else None)
        self._scraped, self._compressed, self._scraped_at = b"", b"", 0.0
        """The text of the last scrape, the same compressed if a client has asked for it, and the time."""

    async def start(self) -> None:
        """Begin to answer. Raises OSError if the address cannot be used."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop answering."""
        await self._server.stop()
        if self._clients is not None:
            await self._clients.close()

    def _knows(self, request: Request) -> bool:
        return self._clients is not None and self._clients.knows(request.headers.get("authorization", ""))

    async def _metrics(self, request: Request) -> Response:
        if self._clients is not None:
            refusal = await self._clients.authorize(request.headers.get("authorization", ""))
            if refusal is not None:
                return refusal
        if not self._scraped or monotonic() - self._scraped_at > FRESH:
            self._scraped, self._compressed, self._scraped_at = generate_latest(REGISTRY), b"", monotonic()
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        if "gzip" in request.headers.get("accept-encoding", ""):
            self._compressed = self._compressed or gzip.compress(self._scraped, 1)
            return Response(HTTPStatus.OK, self._compressed, {**headers, "Content-Encoding": "gzip"})
        return Response(HTTPStatus.OK, self._scraped, headers)

"""Who may read the metrics: Kubernetes authenticates the token of a client, and authorizes its user to get /metrics.

controller-runtime does the same for its metrics. Answers are kept for a short time, because Prometheus scrapes often.
The reviews have a rate limit and connections of their own, so clients with many wrong tokens take nothing from the
requests of the operator. A client that was allowed at its last check is reviewed before others, so they do not delay
its scrapes.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import aiohttp
from kubernetes.aio.config import ConfigException

from esm_operator.clock import monotonic
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import ApiError, ConflictError, GoneError
from esm_operator.metrics.http_server import Response, text
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.waiters import RequestPriority

logger = logging.getLogger(__name__)

PATH = "/metrics"
#: Seconds for which an answer is valid: that a client may read the metrics, and that it may not.
ALLOWED_FOR, REFUSED_FOR = 60.0, 10.0
#: The most answers that are kept.
KEPT = 128
#: Reviews a second. A client needs two, and then none for a minute.
REVIEWS = 10.0
#: The longest token of a client, in characters.
LONGEST_TOKEN = 8_192
_SCHEME = "bearer "


class MetricsClients:
    """The clients of the metrics. For one event loop."""

    def __init__(self, connect: Callable[[], Awaitable[KubernetesClient]] | None = None) -> None:
        """``connect`` makes the client of the API server. None: as the operator is configured."""
        self._connect = connect or (lambda: KubernetesClient.connect(REVIEWS))
        self._kubernetes: KubernetesClient | None = None
        self._connecting = asyncio.Lock()
        self._known: OrderedDict[bytes, tuple[HTTPStatus, float]] = OrderedDict()
        """By the hash of a token: the answer, and the time until which it is valid."""
        self._failures = FailureLog(logger, "The operator can check the clients of its metrics again")

    async def authorize(self, header: str) -> Response | None:
        """Check a client by its header Authorization. Returns the refusal; None: the client may read the metrics."""
        token = _token(header)
        if not token:
            return _refusal(HTTPStatus.UNAUTHORIZED)
        key, now = _key(token), monotonic()
        status, until = self._known.get(key, (HTTPStatus.UNAUTHORIZED, now))
        if until <= now:
            priority = RequestPriority.EDIT if status is HTTPStatus.OK else RequestPriority.SWEEP
            try:
                status = await self._review(token, priority)
            except (ApiError, ConflictError, GoneError, aiohttp.ClientError, OSError, ConfigException) as error:
                self._failures.failed(
                    "The operator could not check a client of its metrics, and refused the client. "
                    f"{str(error) or type(error).__name__}.",
                    cause=type(error),
                )
                return _refusal(HTTPStatus.SERVICE_UNAVAILABLE)
            self._failures.succeeded()
            self._keep(key, status)
        return None if status is HTTPStatus.OK else _refusal(status)

    def knows(self, header: str) -> bool:
        """Whether the client with this header was allowed at its last check."""
        return self._known.get(_key(_token(header)), (None, 0.0))[0] is HTTPStatus.OK

    async def close(self) -> None:
        """Release the connections."""
        if self._kubernetes is not None:
            await self._kubernetes.close()

    def _keep(self, key: bytes, status: HTTPStatus) -> None:
        until = monotonic() + (ALLOWED_FOR if status is HTTPStatus.OK else REFUSED_FOR)
        self._known[key] = status, until
        self._known.move_to_end(key)
        if len(self._known) > KEPT:
            refused = next((one for one, (told, _) in self._known.items() if told is not HTTPStatus.OK), None)
            self._known.pop(refused if refused is not None else next(iter(self._known)))

    async def _review(self, token: str, priority: RequestPriority) -> HTTPStatus:
        async with self._connecting:
            if self._kubernetes is None:
                self._kubernetes = await self._connect()
        user = await self._kubernetes.review_token(token, priority)
        if user is None:
            return HTTPStatus.UNAUTHORIZED
        return HTTPStatus.OK if await self._kubernetes.may_get(PATH, user, priority) else HTTPStatus.FORBIDDEN


def _token(header: str) -> str:
    """The token of a header Authorization. Empty: there is none, or it is too long."""
    token = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""
    return token if len(token) <= LONGEST_TOKEN else ""


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refusal(status: HTTPStatus) -> Response:
    sentences = {
        HTTPStatus.UNAUTHORIZED: "Send a bearer token that Kubernetes accepts.",
        HTTPStatus.FORBIDDEN: f"The user of the token may not get {PATH}. The ClusterRole "
        "RELEASE-metrics-reader of the chart allows it.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The token could not be checked. The log of the operator has the cause.",
    }
    return text(status, sentences[status])

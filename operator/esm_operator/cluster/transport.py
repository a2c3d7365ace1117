"""The transport to the API server: sends a request of any path, with a fence, limits and a time-out.

A slow API server gets fewer requests at the same time, and more time for each. Requests for the lease have their own
connections and no limits, so they never wait for others. Watches have their own connections too, so that other requests
do not wait for theirs.
"""

import asyncio
import copy
import logging
import re
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

import aiohttp
from kubernetes.aio import client

from esm_operator.adapters.aiohttp_hooks import MOST_OF_OBJECT, MOST_OF_PAGE, TooLargeAnswerError, lines, read
from esm_operator.adapters.kubernetes_client import send
from esm_operator.api.foreign_text import ANSWER, shown
from esm_operator.api.frozen_json import is_object, parsed
from esm_operator.api.nested_json import without_deep_parts
from esm_operator.clock import monotonic
from esm_operator.fence import MARGIN, Fence
from esm_operator.metrics import counters
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.concurrency_limiter import INITIAL, ConcurrencyLimiter
from esm_operator.ratelimit.latency import Latency
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.waiters import RequestPriority

logger = logging.getLogger(__name__)

#: Seconds until a read from the API server is given up: if it is fast, and at most.
READ_TIMEOUT, LONGEST_READ_TIMEOUT = 10.0, 60.0
#: The same for a write. It must be over before the lease is, so the lease may allow less than the most.
WRITE_TIMEOUT, LONGEST_WRITE_TIMEOUT = 5.0, 30.0
#: The same for a request for the lease, as shares of the duration of the lease. Two that hang must not cost the lease,
#: so the seconds between the renewals and the attempts, and a spare second, are no part of the duration here.
LEASE_TIMEOUT, LONGEST_LEASE_TIMEOUT = 0.4, 0.5
LEASE_PAUSES = 5.0
#: A longer duration of the lease, in seconds, makes these time-outs no longer.
_LONGEST_LEASE = 30.0
#: Seconds without a line after which a watch counts as dead. The API server sends a bookmark each minute.
LONGEST_SILENCE = 150.0
#: Attempts at a request that the API server is too busy for; the shortest and longest pause between two, in seconds.
_ATTEMPTS, _SHORTEST_PAUSE, _LONGEST_PAUSE = 5, 0.5, 4.0
#: Bytes of an answer whose deep parts are cut off. It can take a third of a second for each million, in which the lease
#: is not renewed. An object of etcd is smaller.
_MOST_TO_CUT = 4_000_000
#: The API server counts as slow if so few requests may be in flight.
_FEW = 2
#: Seconds by which the lease outlasts the longest time-out of a write, because the time to send it passes too.
_SPARE = 0.5
JSON = "application/json"
#: The path of an object, or of a subresource of it: the plural and the subresource.
_OBJECT = re.compile(r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+)?/([^/]+)(?:/[^/]+(?:/([^/]+))?)?")


class GoneError(Exception):
    """The object does not exist any more."""


class ConflictError(Exception):
    """The object was changed in the meantime. Its new version comes with the watch."""


class ApiError(Exception):
    """The API server refused a request. The text names the request and the reason."""

    status: int = 0
    """The HTTP status; 0: there is none."""


class ForbiddenError(ApiError):
    """The operator lacks a right."""


class BusyError(ApiError):
    """The API server takes no more requests now, or has only just started."""


class TooLargeError(ApiError):
    """The answer of the API server is larger than the limit."""


#: The statuses of answers of an overloaded API server.
_OVERLOAD = frozenset({429, 503, 504})


def describe_failure(error: Exception) -> str:
    """The request that has failed, and the answer of the API server, as a sentence without a full stop."""
    if isinstance(error, ApiError | ConflictError) and str(error):
        return str(error)
    return f"{requested(error)} got no answer ({shown(str(error), ANSWER) or type(error).__name__})"


def requested(error: Exception) -> str:
    """The method and the path of a request that the API server refused or did not answer."""
    return next(iter(getattr(error, "__notes__", ())), "A request to the API server")


def is_slow(error: Exception) -> bool:
    """Whether a request failed because the API server is slow or overloaded. A retry may help soon."""
    return isinstance(error, TimeoutError) or getattr(error, "status", 0) in _OVERLOAD


def is_unserved(error: Exception) -> bool:
    """Whether the API server does not serve a kind. It then answers 404 in plain text."""
    return isinstance(error, GoneError) or (isinstance(error, ApiError) and error.status == 404)


_REFUSALS: Mapping[int, type[ApiError]] = {403: ForbiddenError, 429: BusyError}


class RequestKind(Enum):
    """The kinds of requests, which differ in limits and time-outs."""

    READ = auto()
    """One object."""
    LIST = auto()
    """It takes longer than others, whatever the load. It waits for its turn, but no other request waits for its end."""
    WATCH = auto()
    """It ends when the answer begins."""
    WRITE = auto()
    """Fenced."""
    LEASE = auto()
    """A read or write of the Lease. It has its own connections and no limits."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str] | None
    body: Mapping[str, Any] | None
    accept: str
    kind: RequestKind
    lease_duration: float


class Transport:
    """Sends requests of any path to the API server."""

    def __init__(
        self,
        api: client.ApiClient,
        lease_api: client.ApiClient,
        rate_limiter: RateLimiter,
        fence: Fence,
        *,
        watch_api: client.ApiClient | None = None,
    ) -> None:
        """
        Args:
            api: the client for all requests but those for the lease and watches.
            lease_api: the client for the lease, with connections of its own.
            rate_limiter: limits all requests but those for the lease.
            fence: checked before each write. It raises NotLeadingError.
            watch_api: the client for watches, with connections of its own; None: ``api``.
        """
        self._api = api
        self._lease_api = lease_api
        self._watch_api = watch_api or api
        self._rate_limiter = rate_limiter
        self._fence = fence
        self._concurrency_limiter = ConcurrencyLimiter()
        self._lease_latency = Latency()
        self._list_latency = Latency()
        self._speeds_reported = ReportFilter()
        self._speeds_reported.admit("speed", "fast")

    def fenced(self, fence: Fence) -> "Transport":
        """The transport with another fence. It shares all limits."""
        fenced = copy.copy(self)
        fenced._fence = fence
        return fenced

    async def close(self) -> None:
        for api in (self._api, self._lease_api, self._watch_api):
            await api.close()

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(cast("Any", self._api).configuration.host)

    @property
    def requests_limit(self) -> int:
        """How many requests may be in flight now, without those for the lease."""
        return self._concurrency_limiter.limit

    @property
    def latency(self) -> float:
        """Seconds that a read or write of one object takes, as a mean of the last ones; 0: there was none."""
        return self._concurrency_limiter.latency.mean

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = JSON,
        kind: RequestKind = RequestKind.READ,
        priority: RequestPriority = RequestPriority.EDIT,
        lease_duration: float = 0.0,
    ) -> dict[str, Any]:
        """Make a request when the limits allow it. Repeat it while the API server is too busy for it.

        A request for the lease has its duration in seconds.
        """
        request = _Request(method, path, query, body, accept, kind, lease_duration)
        if kind is RequestKind.LEASE:
            return await self._send(request)
        for failures in range(_ATTEMPTS):
            await self._rate_limiter.take(priority)
            try:
                async with self._concurrency_limiter.slot(priority):
                    if kind is not RequestKind.LIST:
                        return await self._send(request)
                return await self._send(request)
            except BusyError:
                if failures == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(backoff.exponential(failures, _SHORTEST_PAUSE, _LONGEST_PAUSE))
        raise AssertionError("the last attempt returns or raises")

    async def watch(
        self, path: str, query: Mapping[str, str], seconds: float, begun: Callable[[], object]
    ) -> AsyncGenerator[dict[str, Any]]:
        """Watch a kind, and yield the events. The API server ends the watch after this number of seconds.

        ``begun`` is called when the API server has accepted the watch. The first event can come much later.

        The watch also ends after a long time without events and bookmarks. Only the start of a watch is limited like
        other requests. No other request waits until the watch ends.

        Raises:
            ApiError: as :meth:`request` does, or for an event of the type ``ERROR``, with its code as the status.
        """
        query = {**query, "watch": "true", "timeoutSeconds": str(int(seconds))}
        await self._rate_limiter.take(RequestPriority.SWEEP)
        note, code, sent = f"GET {path}", "none", monotonic()
        try:
            async with self._concurrency_limiter.slot(RequestPriority.SWEEP), asyncio.timeout(LONGEST_READ_TIMEOUT):
                response = await send(self._watch_api, "GET", path, limit=seconds + LONGEST_READ_TIMEOUT, query=query)
            code = str(response.status)
            if response.status >= 400:
                answer = _decoded(await read(response, MOST_OF_OBJECT))
                raise _refusal("GET", path, response.status, answer, str(response.reason))
            begun()
            async with aclosing(lines(response, MOST_OF_OBJECT)) as events:
                while (line := await _next_line(events)) is not None:
                    event = _decoded(line)
                    if event is None:
                        raise ApiError(f"The watch of {path} received a line that is not JSON")
                    if event.get("type") == "ERROR":
                        status: Mapping[str, Any] = event.get("object") or {}
                        raise _refusal("GET", path, int(status.get("code") or 0), status, "an error in the watch")
                    yield event
        except TooLargeAnswerError as error:
            refused = TooLargeError(f"{note} failed, because {error}")
            refused.add_note(note)
            raise refused from None
        except (aiohttp.ClientError, OSError) as error:
            error.add_note(note)
            raise
        finally:
            counters.KUBERNETES_REQUESTS.labels("GET", code).inc()
            logger.debug("The watch of %s has ended after %.0f s", path, monotonic() - sent)

    async def _send(self, request: _Request) -> dict[str, Any]:
        """Send a request once."""
        method, path, kind = request.method, request.path, request.kind
        limit, check = self._timeout(request), self._fence.check if kind is RequestKind.WRITE else None
        if check is not None:
            check(limit)  # so that no connection is made in vain
        sent, code = monotonic(), "none"
        try:
            response = await send(
                self._lease_api if kind is RequestKind.LEASE else self._api,
                method,
                path,
                limit=limit,
                check=check,
                query=request.query,
                body=request.body,
                content_type="application/merge-patch+json" if method == "PATCH" else JSON,
                accept=request.accept,
            )
            code = str(response.status)
            if kind is RequestKind.WATCH and response.status < 400:
                response.close()  # the answer has begun
                return {}
            answer = _decoded(await read(response, MOST_OF_PAGE if kind is RequestKind.LIST else MOST_OF_OBJECT))
        except TooLargeAnswerError as error:
            raise _noted(TooLargeError(f"{method} {path} failed, because {error}"), method, path) from None
        except Exception as error:
            error.add_note(f"{method} {path}")
            if isinstance(error, TimeoutError):
                self._record_timeout(request, sent)
            raise
        finally:
            counters.KUBERNETES_REQUESTS.labels(method, code).inc()
            counters.KUBERNETES_REQUEST_SECONDS.labels(method).observe(monotonic() - sent)
        self._record_answer(request, sent, response)
        if response.status < 400 and answer is not None:
            return answer
        raise _refusal(method, path, response.status, answer, str(response.reason))

    def _timeout(self, request: _Request) -> float:
        """Seconds until a request is given up. They grow with the latency of earlier ones."""
        latency = self._concurrency_limiter.latency
        match request.kind:
            case RequestKind.LEASE:
                duration = min(request.lease_duration, _LONGEST_LEASE) - LEASE_PAUSES
                return self._lease_latency.timeout(LEASE_TIMEOUT * duration, LONGEST_LEASE_TIMEOUT * duration)
            case RequestKind.WRITE:
                timeout = latency.timeout(WRITE_TIMEOUT, LONGEST_WRITE_TIMEOUT)
                if timeout > WRITE_TIMEOUT:
                    timeout = max(WRITE_TIMEOUT, min(timeout, self._fence.left - MARGIN - _SPARE))
                return timeout
            case RequestKind.LIST:
                return self._list_latency.timeout(READ_TIMEOUT, LONGEST_READ_TIMEOUT)
            case _:
                return latency.timeout(READ_TIMEOUT, LONGEST_READ_TIMEOUT)

    def _record_answer(self, request: _Request, sent: float, response: aiohttp.ClientResponse) -> None:
        """Adapt the limits to an answer."""
        if request.kind is RequestKind.LEASE:
            self._lease_latency.record(monotonic() - sent)
        elif response.status in _OVERLOAD:
            retry_after = backoff.retry_after(response.headers.get("Retry-After", ""))
            self._concurrency_limiter.overloaded(sent, retry_after)
        elif request.kind is RequestKind.LIST:
            self._list_latency.record(monotonic() - sent)
        elif request.kind is not RequestKind.WATCH:
            self._concurrency_limiter.answered(sent, _group(request))
        self._log_speed()

    def _record_timeout(self, request: _Request, sent: float) -> None:
        """Adapt the limits to a request that had no answer in time."""
        match request.kind:
            case RequestKind.LEASE:
                self._lease_latency.timed_out()
            case RequestKind.LIST:
                self._list_latency.timed_out()
            case _:
                self._concurrency_limiter.timed_out(sent)
        self._log_speed()

    def _log_speed(self) -> None:
        """Log that the API server has become slow, or is fast again."""
        limit, seconds = self._concurrency_limiter.limit, self._concurrency_limiter.latency.mean
        if limit <= _FEW and self._speeds_reported.admit("speed", "slow"):
            logger.warning(
                "The API server answers slowly (%.1f s on average), or refuses requests because of overload. The "
                "operator limits its requests, so changes take longer.",
                seconds,
            )
        elif limit >= INITIAL and self._speeds_reported.admit("speed", "fast"):
            logger.info("The API server answers fast again (%.1f s on average)", seconds)


async def _next_line(events: AsyncGenerator[bytes]) -> bytes | None:
    """The next line of a watch; None: the watch has ended, or its connection may be dead."""
    try:
        async with asyncio.timeout(LONGEST_SILENCE):
            return await anext(events, None)
    except TimeoutError:
        return None


def _refusal(method: str, path: str, status: int, answer: Mapping[str, Any] | None, reason: str) -> Exception:
    """The exception for a status. Without an answer of the API server (None), the reason is that of the HTTP status."""
    # A proxy may answer with a 404 of its own. Only an answer of the API server means that the object is gone.
    if answer is not None and status == 404:
        return GoneError()
    if answer is not None and status == 409:
        return ConflictError()
    reason = shown(str((answer or {}).get("message") or reason), ANSWER)
    error = _REFUSALS.get(status, ApiError)(f'{method} {path} failed with status {status} and "{reason}"')
    error.status = status
    return _noted(error, method, path)


def _noted(error: ApiError, method: str, path: str) -> ApiError:
    error.add_note(f"{method} {path}")
    return error


def _group(request: _Request) -> Hashable:
    """The requests that take equally long without load: those of one method for one type of object or subresource."""
    found = _OBJECT.fullmatch(request.path)
    return (request.method, *found.groups()) if found is not None else request.method


def _decoded(data: bytes) -> dict[str, Any] | None:
    """The object in an answer; None: it is not one, but the plain text of a proxy or of a busy API server.

    If Python cannot read the answer, because it is nested too deeply, the object lacks its deep parts.

    Raises:
        TooLargeAnswerError: the deep parts cannot be cut off soon. A list is then requested in smaller pages.
    """
    try:
        try:
            answer = parsed(data or b"{}")
        except RecursionError:
            if len(data) > _MOST_TO_CUT:
                raise TooLargeAnswerError("the answer is nested too deeply") from None
            answer = parsed(without_deep_parts(data))
    except ValueError:
        return None
    return answer if is_object(answer) else None

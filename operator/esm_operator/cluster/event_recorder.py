"""The event recorder: Kubernetes Events report what happened, for ``kubectl describe``.

An Event reports that something begins or is done. The status reports the state. What happens again to a resource is
counted in the existing Event (``x5 over 20m``). A task posts the Events one after the other, and nothing waits for
it. Events are limited for each resource and over all, so that a storm of failures does not become a storm of requests
to the API server. Namespaces take turns, and if too many Events wait, the namespace with most of them loses its latest
one. An Event that exceeds the limits, or that cannot be posted, is a line in the log.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from esm_operator.api.reasons import EventReason
from esm_operator.api.resource import KIND, EventSubject, Resource
from esm_operator.clock import timestamp
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import GoneError, describe_failure
from esm_operator.fence import NotLeadingError
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.token_bucket import TokenBucket
from esm_operator.ratelimit.waiters import RequestPriority

logger = logging.getLogger(__name__)

#: Events a second over all resources.
RATE = 20.0
#: Events that may wait to be posted; more are not posted.
MOST_WAITING = 1_000
#: Events of one resource that may follow each other immediately, and seconds after which it may have one more.
BURST, REFILL = 20, 60.0
#: InventoryListener and Events that are remembered. Those that were recorded the longest time ago are forgotten.
_MOST_KEPT = 10_000
#: Seconds between log lines about Events that were not posted.
_QUIET = 60.0


@dataclass(eq=False)
class EventSeries:
    """One Event, and how often it happened."""

    subject: EventSubject
    kind: str
    reason: EventReason
    message: str
    first: str
    last: str = ""
    count: int = 0
    name: str = ""
    """The name of the Event object; empty: there is none yet."""
    waiting: bool = False
    """Whether the Event is to be posted, or its count updated."""


class EventRecorder:
    """Posts Events about resources. For one event loop."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        self._kubernetes = kubernetes
        self.rate_limiter = RateLimiter(RATE)
        self._series: OrderedDict[tuple[str, str, str], EventSeries] = OrderedDict()
        """By the uid of the resource, reason and message."""
        self._bucket = lru_cache(_MOST_KEPT)(_new_bucket)
        self._waiting: dict[str, deque[EventSeries]] = {}
        """By namespace; the namespace whose turn is next comes first."""
        self._poster: asyncio.Task[None] | None = None
        self._left_out = 0
        self._reports = ReportFilter(_QUIET)
        self._failures = FailureLog(logger, "The operator can post Events again")

    def normal(self, resource: Resource, reason: EventReason, message: str) -> None:
        """Record something that a person need not act on. The message is a sentence."""
        self._record(resource, "Normal", reason, message)

    def warning(self, resource: Resource, reason: EventReason, message: str) -> None:
        """Record something that a person should know. The message is a sentence."""
        self._record(resource, "Warning", reason, message)

    async def settle(self, within: float) -> None:
        """Wait until all Events are posted, for at most so many seconds."""
        if self._poster is not None:
            await asyncio.wait([self._poster], timeout=within)
        if self._waiting:
            logger.info("%d Events were not posted, because the operator stops", self._count_waiting())

    def _record(self, resource: Resource, kind: str, reason: EventReason, message: str) -> None:
        now = timestamp()
        mark = (resource.uid, reason, message)
        series = self._series.setdefault(mark, EventSeries(resource.event_subject, kind, reason, message, first=now))
        self._series.move_to_end(mark)
        series.count += 1
        series.last = now
        if len(self._series) > _MOST_KEPT:
            self._series.popitem(last=False)
        if series.waiting:
            return
        if not self._bucket(resource.uid).take():
            self._leave_out()
            return
        series.waiting = True
        self._waiting.setdefault(resource.key.namespace, deque()).append(series)
        if self._count_waiting() > MOST_WAITING:
            namespace = max(self._waiting, key=lambda name: len(self._waiting[name]))
            self._waiting[namespace].pop().waiting = False
            if not self._waiting[namespace]:
                del self._waiting[namespace]
            self._leave_out()
        if self._poster is None or self._poster.done():
            self._poster = asyncio.create_task(self._post(), name="events")

    def _count_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _next(self) -> EventSeries:
        """Take the next Event of the namespace whose turn it is."""
        namespace, waiting = next(iter(self._waiting.items()))
        series = waiting.popleft()
        del self._waiting[namespace]
        if waiting:
            self._waiting[namespace] = waiting  # behind the others
        return series

    def _leave_out(self) -> None:
        self._left_out += 1
        if self._reports.admit("left out"):
            logger.warning(
                "The operator left out %d Events, because there were more than %g a second, or more than one a minute "
                "for one resource. The conditions of the resources show their state.",
                self._left_out,
                RATE,
            )
            self._left_out = 0

    async def _post(self) -> None:
        while self._waiting:
            await self.rate_limiter.take(RequestPriority.SWEEP)
            series = self._next()
            series.waiting = False
            try:
                await self._send(series)
            except NotLeadingError:
                count = self._count_waiting() + 1
                logger.info("%d Events were not posted, because the lease may end before", count)
                for one in chain.from_iterable(self._waiting.values()):
                    one.waiting = False
                self._waiting.clear()
            except Exception as error:  # an Event is never worth more than a line in the log
                text = f"The operator could not post the Event {series.reason} of {series.subject.key}."
                self._failures.failed(f"{text} {describe_failure(error)}.", cause=type(error))
            else:
                self._failures.succeeded()

    async def _send(self, series: EventSeries) -> None:
        """Update the count of an Event if the object exists, else post it."""
        (namespace, name), uid, version = series.subject
        if series.name:
            try:
                await self._kubernetes.count_event(namespace, series.name, series.count, series.last)
            except GoneError:
                series.name = ""
            else:
                return
        series.name = await self._kubernetes.post_event(
            {"kind": KIND, "namespace": namespace, "name": name, "uid": uid, "resourceVersion": version},
            series.kind,
            series.reason,
            series.message,
            first=series.first,
            last=series.last,
            count=series.count,
        )


def _new_bucket(uid: str) -> TokenBucket:
    """The bucket of the resource with this uid."""
    return TokenBucket(1 / REFILL, BURST)

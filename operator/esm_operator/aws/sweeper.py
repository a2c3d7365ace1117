"""The sweeper of one target: reads the list of all mappings, page after page, again and again.

Quiet, its pages are spread evenly over the interval: the quota, which others share, sees no bursts, several
operators do not meet in step, and each mapping is looked at once an interval, so that what somebody changed is
seen and put right within it, however many mappings there are. Hurried, pages follow each other as the budget
allows, and no closer than AWS grants requests: before the first sweep is complete, and while AWS is at work on more
mappings than single looks are worth. Crowded, while many changes wait for the budget, pages are rare, for each delays
one of those.
"""

import logging
import math
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.mappings_api import PAGE, Page
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.deadline import Deadline
from esm_operator.status.failure import Disposition, Failure

logger = logging.getLogger(__name__)

#: The part of the request rate that pages take while many changes wait; single looks take as much.
CROWDED_SHARE = 0.03
#: The least seconds between two sweeps, and between two pages while many changes wait.
LEAST = 1.0
#: The least seconds between two pages, whatever rate is set: AWS grants 15 requests a second (AWS Lambda quotas).
_CLOSEST = 1 / 15
#: Seconds over which a sweep is spread at most: nobody knows how long AWS's markers stay valid.
_LONGEST = 300.0
#: The part of the interval that the pages are spread over.
_SPREAD = 0.97
#: The part of the interval that passes at most between a hurried sweep of many pages and the next.
_AFTER_HURRY = 0.2
#: The longest pause after a page that failed, in seconds.
_MOST_FAILING = 60.0
#: How often a page is tried before its marker is taken to be invalid, and the sweep begun anew.
_MOST_TRIES = 8
#: Failures in a row that are only logged, because they may pass by themselves.
_PASSING = 3
#: Intervals without a page, because of failures, after which the inventory is stale.
_STALE = 5
#: Pages by which a mapping may have moved since the sweep before, until it counts as overdue.
_SHIFT = 2


class SweepPace(Enum):
    """How soon one page follows the other."""

    QUIET = "quiet"
    HURRIED = "hurried"
    CROWDED = "crowded"


@dataclass(slots=True)
class _Sweep:
    """A sweep under way, or the one before it."""

    began: float
    hurried: bool
    marker: str = ""
    pages: list[float] = field(default_factory=list[float])
    """When each page was asked for, in monotonic seconds."""


class SweepObserver(Protocol):
    """What the sweeper works for."""

    def pace(self) -> SweepPace:
        """The pace that sweeps should have now."""
        ...

    def mappings_changed(self, uuids: Collection[str]) -> None:
        """These mappings have changed, appeared, or were not met any more."""
        ...

    def first_sweep_ended(self) -> None:
        """The first sweep is complete, or has failed for the reason in ``failure``."""
        ...

    def staleness_changed(self) -> None:
        """``stale`` has become a failure, or None."""
        ...


class Sweeper:
    """Sweeps until cancelled."""

    def __init__(self, shared: SharedTarget, observer: SweepObserver, *, interval: float) -> None:
        """
        Args:
            shared: the account and region.
            observer: what it works for.
            interval: seconds between the beginnings of two sweeps when all is quiet.
        """
        self._shared = shared
        self._interval = interval
        self._observer = observer
        self.failure: Failure | None = None
        """Why no page is read; None: it is, or will be soon."""
        self.stale: Failure | None = None
        """Why no page has been read for so long that the inventory is stale; None: it is up to date, or was never
        filled."""
        self._failing_since = 0.0
        self._failures = 0
        self._failed_at = 0.0
        self._sweep: _Sweep | None = None
        self._before: _Sweep | None = None
        self._next_begins = -math.inf
        self._looked_for_overdue = -math.inf
        self._deadline = Deadline()

    def wake(self) -> None:
        """Ask again which pace is wanted."""
        self._deadline.recheck()

    def retry(self) -> None:
        """If the last page failed, try again immediately."""
        if self._failures:
            self._failed_at = -math.inf
            self.wake()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._deadline.until(self.next_due)
            client = self._shared.client
            try:
                await self._step(client)
                self._failures = 0
                self.failure = None
                self._set_stale(None)
            except Exception as error:
                self._failed(error, client)

    def next_due(self) -> float:
        """Monotonic time at which the next page is to be asked for, in seconds."""
        if self._failures:
            return self._failed_at + backoff.exponential(self._failures, 1.0, _MOST_FAILING)
        pace = self._pace()
        if self._sweep is not None and self._sweep.pages and not self._is_too_slow(self._sweep, pace):
            return self._sweep.pages[-1] + self._pause(pace)
        if pace is SweepPace.HURRIED:
            return self._before.pages[-1] + LEAST if self._before is not None else -math.inf
        if pace is SweepPace.CROWDED and self._before is not None:
            return self._before.pages[-1] + self._pause(pace)
        return self._next_begins

    @staticmethod
    def _is_too_slow(sweep: _Sweep, pace: SweepPace) -> bool:
        """Whether a sweep is begun anew: what it has passed already is to be seen again, and soon."""
        return pace is SweepPace.HURRIED and not sweep.hurried

    def _pace(self) -> SweepPace:
        return self._observer.pace() if self._shared.client.inventory.swept else SweepPace.HURRIED

    def _pause(self, pace: SweepPace) -> float:
        """Seconds between two pages."""
        match pace:
            case SweepPace.HURRIED:
                return _CLOSEST
            case SweepPace.CROWDED:
                return max(LEAST, self._shared.client.rate_limiter.interval(CROWDED_SHARE))
            case SweepPace.QUIET:
                return _SPREAD * min(self._interval, _LONGEST) / self._expected()

    def _expected(self) -> int:
        """How many pages a sweep takes; AWS may make them smaller than it need."""
        before = len(self._before.pages) if self._before is not None else 1
        so_far = len(self._sweep.pages) if self._sweep is not None else 0
        return max(before, so_far + 1, self._shared.client.pages)

    async def _step(self, client: MappingsClient) -> None:
        """Ask for the next page."""
        sweep, pace = self._sweep, self._pace()
        if sweep is None or self._is_too_slow(sweep, pace):
            sweep = self._sweep = _Sweep(monotonic(), hurried=pace is SweepPace.HURRIED)
        page = await client.api.page(sweep.marker)
        sweep.pages.append(page.at)
        sweep.marker = page.next
        changed = client.inventory.record_page(page.mappings, page.at)
        if page.next:
            changed |= self._overdue(sweep)
        else:
            changed |= self._finish(sweep, page)
        if changed:
            self._observer.mappings_changed(changed)

    def _finish(self, sweep: _Sweep, page: Page) -> set[str]:
        """The last page is in. Returns the UUIDs of mappings that were on none."""
        first = not self._shared.client.inventory.swept
        unseen = self._shared.client.inventory.record_swept(sweep.began)
        self._before, self._sweep = sweep, None
        self._next_begins = sweep.began + self._interval + random.uniform(0, LEAST)
        if sweep.hurried:
            # Soon, for its last page would else be two intervals away; at a random moment, so that operators which
            # were started at once do not go in step.
            pause = self._interval * max(_AFTER_HURRY, 1 / self._expected())
            self._next_begins = sweep.pages[-1] + random.uniform(0.5, 1) * pause
        logger.debug("Swept %d pages, the last with %d mappings", len(sweep.pages), len(page.mappings))
        if first:
            self._observer.first_sweep_ended()
        return unseen

    def _overdue(self, sweep: _Sweep) -> set[str]:
        """The mappings that the sweep before met earlier than this one has got by now."""
        before, now = self._before, monotonic()
        if before is None or now - self._looked_for_overdue < _LONGEST / PAGE:
            return set()
        self._looked_for_overdue = now
        shift = _SHIFT + abs(self._expected() - len(before.pages))
        passed = len(sweep.pages) - shift
        if passed < 1 or passed >= len(before.pages):
            return set()
        return self._shared.client.inventory.drop_overdue(before.pages[passed], PAGE)

    def _set_stale(self, stale: Failure | None) -> None:
        """Report where the inventory has become stale, or is up to date again, not where only the reason differs."""
        changed = (self.stale is None) != (stale is None)
        self.stale = stale
        if changed:
            self._observer.staleness_changed()

    def _failed(self, error: Exception, client: MappingsClient) -> None:
        self._failures += 1
        self._failed_at = monotonic()
        if self._failures == 1:
            self._failing_since = self._failed_at
        failure = errors.understand_any(error)
        logger.warning("Looking at the mappings failed: %s", failure.message)
        if not failure.throttled:
            self._shared.switch_client(client)
        passes = failure.disposition is Disposition.SOON and self._failures < _PASSING
        self.failure = None if passes else failure
        refused = isinstance(error, ClientError) and not (failure.throttled or errors.is_doubtful(error))
        if self._failures >= _MOST_TRIES or (refused and self._sweep is not None and self._sweep.marker):
            self._sweep = None  # perhaps its marker is not valid any more
        if self.failure is None:
            return
        if not self._shared.client.inventory.swept:
            self._observer.first_sweep_ended()
        elif self._failed_at - self._failing_since >= _STALE * self._interval:
            self._set_stale(self.failure)

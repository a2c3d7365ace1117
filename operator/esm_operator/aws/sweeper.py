"""The sweeper of one target: reads the list of all mappings, page by page, and repeats this at an interval.

Pages are usually spread evenly over the interval. So there are no bursts on the quota, which other clients share, and
drift is found and corrected within one interval, whatever the number of mappings. Pages follow each other as fast as
the rate limiter and AWS allow until the first sweep is complete, and while a sweep takes fewer requests than reads of
the single mappings in transition. While many changes wait for the rate limiter, pages are rare, because each page
delays a change.
"""

import logging
import math
import random
from dataclasses import dataclass, field
from enum import Enum, auto

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.account_region import CROWDED_SHARE, AccountRegion
from esm_operator.aws.answer_limits import ListLimit
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.errors import TooLongListError
from esm_operator.aws.mappings_api import PAGE, Page
from esm_operator.aws.transitions import due_transitions
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.reason_table import PERMISSIONS

logger = logging.getLogger(__name__)

#: The least seconds between two sweeps, and between two pages while the target is crowded.
LEAST = 1.0
#: The least seconds between two pages, whatever rate is set: AWS grants 15 requests a second (AWS Lambda quotas).
_CLOSEST = 1 / 15
#: Seconds over which a sweep is spread at most, because AWS does not document how long its markers stay valid.
_LONGEST = 300.0
#: The part of the interval that the pages are spread over.
_SPREAD = 0.97
#: The part of the interval that passes at most between a hurried sweep of many pages and the next.
_AFTER_HURRY = 0.2
#: The longest pause after a page that failed, in seconds.
_MOST_FAILING = 60.0
#: Seconds until a list that was too long is requested again.
_AFTER_TOO_LONG = 300.0
#: Tries of a page after which its marker counts as invalid, and the sweep begins again.
_MOST_TRIES = 8
#: Failures in a row that are only logged, because they may pass by themselves.
_PASSING = 3
#: Intervals without a page, because of failures, after which the inventory is stale.
_STALE = 5
#: Pages by which a mapping may have moved since the sweep before, until it counts as overdue.
_SHIFT = 2


_READER = "sweep of the mappings"


class _Pace(Enum):
    """How soon one page follows the other."""

    QUIET = auto()
    HURRIED = auto()
    CROWDED = auto()


@dataclass(slots=True)
class _Sweep:
    began: float
    limit: ListLimit
    hurried: bool
    marker: str = ""
    pages: list[float] = field(default_factory=list[float])
    """Monotonic times at which the pages were requested, in seconds."""


class Sweeper:
    """Sweeps until cancelled. The interval is the seconds between the beginnings of two sweeps when all is quiet."""

    def __init__(self, account_region: AccountRegion, interval: float) -> None:
        self._account_region = account_region
        self._interval = interval
        self._failing_since = 0.0
        self._failures = 0
        self._denied: set[MappingsClient] = set()
        """The clients that IAM has denied a page since the last page or the last failure of all clients."""
        self._failed_at = 0.0
        self._too_long = False
        """Whether the last list was too long. Then only a complete sweep ends the failure."""
        self._sweep: _Sweep | None = None
        self._before: _Sweep | None = None
        self._next_begins = -math.inf
        self._overdue_checked = -math.inf

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._account_region.sweep_deadline.until(self.next_due)
            client = self._account_region.client
            try:
                await self._step(client)
                self._failures = 0
                self._denied.clear()
                if not self._too_long:
                    self._account_region.failure = None
                    self._account_region.read_again(_READER)
                    self._set_stale(None)
            except Exception as error:
                self._record_failure(error, client)

    def next_due(self) -> float:
        """Monotonic time at which the next page is to be requested, in seconds."""
        if self._failures:
            retried = self._account_region.retried > self._failed_at
            exponential = backoff.exponential(self._failures, 1.0, _MOST_FAILING)
            return -math.inf if retried else self._failed_at + (_AFTER_TOO_LONG if self._too_long else exponential)
        pace = self._pace()
        if self._sweep is not None and self._sweep.pages and not _is_too_slow(self._sweep, pace):
            return self._sweep.pages[-1] + self._pause(pace)
        if pace is _Pace.HURRIED:
            return self._before.pages[-1] + LEAST if self._before is not None else -math.inf
        if pace is _Pace.CROWDED and self._before is not None:
            return self._before.pages[-1] + self._pause(pace)
        return self._next_begins

    def _pace(self) -> _Pace:
        if not self._account_region.inventory.swept:
            return _Pace.HURRIED
        if self._account_region.is_crowded():
            return _Pace.CROWDED
        # From then on a sweep takes fewer requests than reads of the single mappings.
        hurried = len(due_transitions(self._account_region)) > self._account_region.client.pages
        return _Pace.HURRIED if hurried else _Pace.QUIET

    def _pause(self, pace: _Pace) -> float:
        """Seconds between two pages."""
        match pace:
            case _Pace.HURRIED:
                return _CLOSEST
            case _Pace.CROWDED:
                return max(LEAST, self._account_region.rate_limiter.interval(CROWDED_SHARE))
            case _Pace.QUIET:
                return _SPREAD * min(self._interval, _LONGEST) / self._expected()

    def _expected(self) -> int:
        """How many pages a sweep takes. AWS does not fill every page."""
        before = len(self._before.pages) if self._before is not None else 1
        so_far = len(self._sweep.pages) if self._sweep is not None else 0
        return max(before, so_far + 1, self._account_region.client.pages)

    async def _step(self, client: MappingsClient) -> None:
        """Read the next page."""
        sweep, pace = self._sweep, self._pace()
        if sweep is None or _is_too_slow(sweep, pace):
            limit = self._account_region.inventory.new_list_limit()
            sweep = self._sweep = _Sweep(monotonic(), limit, hurried=pace is _Pace.HURRIED)
        page = await client.api.page(sweep.marker)
        sweep.pages.append(page.at)
        sweep.marker = page.next
        changed = self._account_region.inventory.record_page(page.mappings, page.at)
        if page.next:
            sweep.limit.count(page.mappings)
        changed |= self._drop_overdue(sweep) if page.next else self._finish(sweep, page)
        if changed:
            self._account_region.wake()  # another client may have begun a transition
            self._account_region.mappings_changed(changed)
        results = self._account_region.inventory.take_changed_results()
        if results:
            self._account_region.resources.results_changed(self._account_region.place, results)

    def _finish(self, sweep: _Sweep, page: Page) -> set[str]:
        """Record the end of a sweep. Returns the UUIDs of mappings that were on no page."""
        first = not self._account_region.inventory.swept
        unseen = self._account_region.inventory.record_swept(sweep.began)
        self._before, self._sweep, self._too_long = sweep, None, False
        self._next_begins = sweep.began + self._interval + random.uniform(0, LEAST)
        if sweep.hurried:
            # Soon, because its last page would else be two intervals away; at a random moment, so that operators that
            # were started together do not sweep together.
            pause = self._interval * max(_AFTER_HURRY, 1 / self._expected())
            self._next_begins = sweep.pages[-1] + random.uniform(0.5, 1) * pause
        logger.debug("Swept %d pages, the last with %d mappings", len(sweep.pages), len(page.mappings))
        if first:
            self._report_first_sweep()
        return unseen

    def _drop_overdue(self, sweep: _Sweep) -> set[str]:
        """Drop the mappings that the sweep before read earlier than this one has got by now. Returns their UUIDs."""
        before, now = self._before, monotonic()
        if before is None or now - self._overdue_checked < _LONGEST / PAGE:
            return set()
        self._overdue_checked = now
        passed = len(sweep.pages) - _SHIFT - abs(self._expected() - len(before.pages))
        if not 1 <= passed < len(before.pages):
            return set()
        return self._account_region.inventory.drop_overdue(before.pages[passed], PAGE)

    def _report_first_sweep(self) -> None:
        for target in list(self._account_region.clients):
            self._account_region.resources.first_sweep_ended(target)

    def _set_stale(self, stale: Failure | None) -> None:
        """Report that the inventory has become stale, or is up to date again, but not that only the reason differs."""
        changed = (self._account_region.stale is None) != (stale is None)
        self._account_region.stale = stale
        if changed:
            for target in list(self._account_region.clients):
                self._account_region.resources.staleness_changed(target)

    def _record_failure(self, error: Exception, client: MappingsClient) -> None:
        failure = self._account_region.log_and_switch_client(client, error, reader=_READER)
        if failure.reason in PERMISSIONS:
            self._denied.add(client)
            if not self._denied.issuperset(self._account_region.clients.values()):
                return  # the next client reads the page immediately
        self._denied.clear()
        self._failures += 1
        self._failed_at = monotonic()
        if self._failures == 1:
            self._failing_since = self._failed_at
        self._too_long = isinstance(error, TooLongListError)
        passes = failure.disposition is Disposition.SOON and self._failures < _PASSING and not self._too_long
        self._account_region.failure = None if passes else failure
        refused = isinstance(error, ClientError) and not (failure.throttled or errors.is_doubtful(error))
        if self._too_long:
            # Resources then wait for a complete sweep, because an unknown mapping is not a deleted one.
            self._account_region.inventory.clear()
            self._sweep = self._before = None
        if self._failures >= _MOST_TRIES or (refused and self._sweep is not None and self._sweep.marker):
            self._sweep = None  # perhaps its marker is not valid any more
        if passes:
            return
        if not self._account_region.inventory.swept:
            self._report_first_sweep()
        elif self._failed_at - self._failing_since >= _STALE * self._interval:
            self._set_stale(failure)


def _is_too_slow(sweep: _Sweep, pace: _Pace) -> bool:
    """Whether a sweep begins again, because the pages that it has read have to be read again soon."""
    return pace is _Pace.HURRIED and not sweep.hurried

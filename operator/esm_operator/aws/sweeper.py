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
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.client import PAGE, MappingsClient, Page
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
#: Failures in a row that are told of nowhere but in the log, where they may pass by themselves.
_PASSING = 3
#: Intervals without a page, for failures, after which nobody knows how the mappings are.
_BLIND = 5
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


class Sweeper:
    """Sweeps until cancelled."""

    def __init__(
        self,
        client: Callable[[], MappingsClient],
        *,
        interval: float,
        pace: Callable[[], SweepPace],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[], object],
        failed: Callable[[MappingsClient], None],
        sight: Callable[[], object],
    ) -> None:
        """
        Args:
            client: through whom to look.
            interval: seconds between the beginnings of two sweeps when all is quiet.
            pace: the pace that is wanted now.
            changed: told of UUIDs whose mapping changed, came, or was not met any more.
            waiting: told that the first sweep is in, or has failed: ``failure`` says why.
            failed: told that a page was refused or not answered, and through whom.
            sight: told that ``blind`` is another.
        """
        self._client = client
        self._interval = interval
        self._wanted = pace
        self._changed = changed
        self._waiting = waiting
        self._tell_failed = failed
        self._tell_sight = sight
        self.failure: Failure | None = None
        self.blind: Failure | None = None
        """Why no page has been read for so long that nobody knows how the mappings are; None: they are known, or never
        were."""
        self._failing_since = 0.0
        self._failures = 0
        self._failed_at = 0.0
        self._sweep: _Sweep | None = None
        self._before: _Sweep | None = None
        self._next_begins = -math.inf
        self._looked_for_overdue = -math.inf
        self._deadline = Deadline()

    def wake(self) -> None:
        """The pace that is wanted may be another."""
        self._deadline.ring()

    def retry(self) -> None:
        """If the last page failed, try again at once."""
        if self._failures:
            self._failed_at = -math.inf
            self.wake()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._deadline.until(self._due)
            client = self._client()
            try:
                await self._step(client)
                self._failures = 0
                self.failure = None
                self._see(None)
            except Exception as error:
                self._failed(error, client)

    def _due(self) -> float:
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
        return self._wanted() if self._client().inventory.swept else SweepPace.HURRIED

    def _pause(self, pace: SweepPace) -> float:
        """Seconds between two pages."""
        match pace:
            case SweepPace.HURRIED:
                return _CLOSEST
            case SweepPace.CROWDED:
                return max(LEAST, self._client().rate_limiter.pause(CROWDED_SHARE))
            case SweepPace.QUIET:
                return _SPREAD * min(self._interval, _LONGEST) / self._expected()

    def _expected(self) -> int:
        """How many pages a sweep takes; AWS may make them smaller than it need."""
        before = len(self._before.pages) if self._before is not None else 1
        so_far = len(self._sweep.pages) if self._sweep is not None else 0
        return max(before, so_far + 1, self._client().pages)

    async def _step(self, client: MappingsClient) -> None:
        """Ask for the next page."""
        sweep, pace = self._sweep, self._pace()
        if sweep is None or self._is_too_slow(sweep, pace):
            sweep = self._sweep = _Sweep(time.monotonic(), hurried=pace is SweepPace.HURRIED)
        page = await client.page(sweep.marker)
        sweep.pages.append(page.at)
        sweep.marker = page.next
        changed = client.inventory.record_page(page.mappings, page.at)
        if page.next:
            changed |= self._overdue(sweep)
        else:
            changed |= self._end(sweep, page)
        if changed:
            self._changed(changed)

    def _end(self, sweep: _Sweep, page: Page) -> set[str]:
        """The last page is in. Returns the UUIDs of mappings that were on none."""
        first = not self._client().inventory.swept
        unseen = self._client().inventory.record_swept(sweep.began)
        self._before, self._sweep = sweep, None
        self._next_begins = sweep.began + self._interval + random.uniform(0, LEAST)
        if sweep.hurried:
            # Soon, for its last page would else be two intervals away; at a random moment, so that operators which
            # were started at once do not go in step.
            pause = self._interval * max(_AFTER_HURRY, 1 / self._expected())
            self._next_begins = sweep.pages[-1] + random.uniform(0.5, 1) * pause
        logger.debug("Swept %d pages, the last with %d mappings", len(sweep.pages), len(page.mappings))
        if first:
            self._waiting()
        return unseen

    def _overdue(self, sweep: _Sweep) -> set[str]:
        """The mappings that the sweep before met earlier than this one has got by now."""
        before, now = self._before, time.monotonic()
        if before is None or now - self._looked_for_overdue < _LONGEST / PAGE:
            return set()
        self._looked_for_overdue = now
        shift = _SHIFT + abs(self._expected() - len(before.pages))
        passed = len(sweep.pages) - shift
        if passed < 1 or passed >= len(before.pages):
            return set()
        return self._client().inventory.drop_overdue(before.pages[passed], PAGE)

    def _see(self, blind: Failure | None) -> None:
        """Tell where sight is lost or back, not where only the reason is another."""
        changed = (self.blind is None) != (blind is None)
        self.blind = blind
        if changed:
            self._tell_sight()

    def _failed(self, error: Exception, client: MappingsClient) -> None:
        self._failures += 1
        self._failed_at = time.monotonic()
        if self._failures == 1:
            self._failing_since = self._failed_at
        failure = errors.understand_any(error)
        logger.warning("Looking at the mappings failed: %s", failure.message)
        if not failure.throttled:
            self._tell_failed(client)
        passes = failure.disposition is Disposition.SOON and self._failures < _PASSING
        self.failure = None if passes else failure
        refused = isinstance(error, ClientError) and not (failure.throttled or errors.is_doubtful(error))
        if self._failures >= _MOST_TRIES or (refused and self._sweep is not None and self._sweep.marker):
            self._sweep = None  # perhaps its marker is not valid any more
        if self.failure is None:
            return
        if not self._client().inventory.swept:
            self._waiting()
        elif self._failed_at - self._failing_since >= _BLIND * self._interval:
            self._see(self.failure)

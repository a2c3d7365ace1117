"""The rate limiter of requests: they await their tokens by priority, and a throttled answer slows all of them down.

AWS grants an account 15 Lambda control-plane requests a second in a region, shared with all other clients (AWS Lambda
quotas). A throttled answer halves the rate, which then grows back slowly, from the end of a Retry-After on.

Requests to the resource groups tagging API, to the API server, and Events each have one too.
"""

import asyncio
import math
from typing import NamedTuple

from esm_operator.clock import monotonic
from esm_operator.ratelimit.in_flight_window import InFlightWindow
from esm_operator.ratelimit.token_bucket import TokenBucket
from esm_operator.ratelimit.waiters import RequestPriority, Waiters

#: Tokens that may be spent immediately after a quiet time.
BURST = 3.0
#: The least rate that throttling can bring it to, in requests a second.
LEAST_RATE = 0.5
#: How much of the full rate comes back in a second.
RECOVERY = 0.05


class RateLimiterState(NamedTuple):
    """A rate limiter at one moment, for metrics. Rates are requests a second."""

    rate_set: float
    rate_now: float
    tokens: float
    """Requests that may be sent immediately."""
    waiting: int
    """Requests that wait for their turn."""


class RateLimiter:
    """Requests a second, awaited by priority. For one event loop."""

    def __init__(self, rate: float) -> None:
        self.full_rate = rate
        self.window = InFlightWindow(int(rate + min(BURST, rate)) + 1, rate)
        """The limit on requests to AWS Lambda within a second: the rate and a burst."""
        self._bucket = TokenBucket(rate, max(1.0, min(BURST, rate)))
        self._recovers_from = monotonic()
        self._throttled = -math.inf
        self._slowed = False
        """Whether a request was throttled, and :meth:`has_recovered` has not reported the end of it."""
        self._waiting = Waiters()
        self._pump: asyncio.Task[None] | None = None

    @property
    def rate(self) -> float:
        """Requests a second that are granted now."""
        self._recover()
        return self._bucket.rate

    @property
    def is_exhausted(self) -> bool:
        """Whether requests wait for their turn."""
        return bool(self._waiting)

    def state(self) -> RateLimiterState:
        """The state now, for metrics."""
        return RateLimiterState(self.full_rate, self.rate, self._bucket.tokens, len(self._waiting))

    def interval(self, share: float) -> float:
        """Seconds between two requests of a series that takes a share of the current rate (above 0, at most 1)."""
        return 1 / (share * self.rate)

    async def take(self, priority: RequestPriority) -> None:
        """Wait until one request may be sent."""
        self._recover()
        if not self._waiting and self._bucket.take():
            return
        turn = self._waiting.add(priority)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._grant(), name="rate limiter")
        await turn

    def throttled(self, sent: float, retry_after: float = 0.0) -> bool:
        """Slow down, because AWS has throttled a request that was sent at a monotonic time, in seconds.

        AWS may ask not to be called for some seconds. Of the requests in flight at one time, only one halves the rate.

        Returns:
            whether the throttling begins with this request.
        """
        self._recover()
        now = monotonic()
        if sent >= self._throttled:
            self._throttled = now
            self._bucket.rate = max(LEAST_RATE, self._bucket.rate / 2)
        # Nothing comes back while AWS asks not to be called.
        self._bucket.drain(now + retry_after)
        self._recovers_from = max(self._recovers_from, now + retry_after)
        begins, self._slowed = not self._slowed, True
        return begins

    def has_recovered(self) -> bool:
        """Whether the full rate has come back since the last throttled request. True once."""
        recovered = self._slowed and self.rate >= self.full_rate
        self._slowed = self._slowed and not recovered
        return recovered

    def _recover(self) -> None:
        now = monotonic()
        if now > self._recovers_from:
            gained = (now - self._recovers_from) * RECOVERY * self.full_rate
            self._bucket.rate = min(self.full_rate, self._bucket.rate + gained)
            self._recovers_from = now

    async def _grant(self) -> None:
        while self._waiting:
            self._recover()
            delay = self._bucket.delay
            if delay > 0:
                await asyncio.sleep(max(delay, 0.001))
                continue
            if self._waiting.grant():
                self._bucket.take()

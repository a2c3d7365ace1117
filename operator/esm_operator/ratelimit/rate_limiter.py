"""The budget: a token bucket for the requests to one account and region.

AWS grants an account 15 Lambda control-plane requests a second in a region, shared with everything else
that works there (AWS Lambda quotas). The operator takes a share of it. Callers wait for a token by
priority; one token in eight goes to whoever has waited longest, so that none starves. A throttled answer
halves the rate, which then grows back slowly, from the end of a Retry-After on.
"""

import asyncio
import heapq
import itertools
import math
import time
from enum import IntEnum
from typing import NamedTuple

from esm_operator.ratelimit.in_flight_window import InFlightWindow

#: Tokens that may be spent at once after a quiet time.
BURST = 3.0
#: The least rate that throttling can bring it to, in requests a second.
LEAST_RATE = 0.5
#: How much of the full rate comes back in a second.
RECOVERY = 0.05
_FAIR_TURN = 8


class RequestPriority(IntEnum):
    """Who comes first: lower values do."""

    EDIT = 0
    CREATE = 1
    TRANSITION = 2
    SWEEP = 3
    TAG_SWEEP = 4


class RateLimiterState(NamedTuple):
    """How a budget is at one moment."""

    rate_set: float
    """Requests a second that it grants at most."""
    rate_now: float
    """Requests a second that it grants now."""
    tokens: float
    """Requests that may be sent at once."""
    waiting: int
    """Requests that wait for their turn."""


class RateLimiter:
    """Requests a second, waited for by priority. For one event loop."""

    def __init__(self, rate: float) -> None:
        """
        Args:
            rate: requests a second.
        """
        self.full_rate = rate
        self.window = InFlightWindow(int(rate + min(BURST, rate)) + 1, rate)
        """How many requests reach AWS within a second at most, unless one is long under way: what the rate and a burst
        come to."""
        self._rate = rate
        self._tokens = min(BURST, rate)
        self._filled = time.monotonic()
        self._not_before = 0.0
        self._throttled = -math.inf
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._granted = 0
        self._pump: asyncio.Task[None] | None = None

    @property
    def rate(self) -> float:
        """Requests a second that are granted now."""
        return self._rate

    def state(self) -> RateLimiterState:
        """How it is now."""
        self._fill()
        waiting = sum(not turn.done() for _, _, turn in self._waiting)
        return RateLimiterState(self.full_rate, self._rate, self._tokens, waiting)

    def pause(self, share: float) -> float:
        """Seconds between two requests of those that take this part of the rate that is granted now."""
        return 1 / (share * self._rate)

    async def take(self, priority: RequestPriority) -> None:
        """Wait for one request's worth of the budget."""
        self._fill()
        if not self._waiting and self._tokens >= 1 and time.monotonic() >= self._not_before:
            self._tokens -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (int(priority), next(self._order), turn))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._grant(), name="budget")
        await turn

    def throttled(self, sent: float, retry_after: float = 0.0) -> None:
        """AWS has refused a request for being one too many.

        Args:
            sent: monotonic time at which it was sent, in seconds. Of those that were under way together only one
                halves the rate.
            retry_after: seconds for which AWS asks not to be called, or 0.
        """
        self._fill()
        if sent >= self._throttled:
            self._throttled = time.monotonic()
            self._rate = max(LEAST_RATE, self._rate / 2)
        self._tokens = 0.0
        self._not_before = max(self._not_before, time.monotonic() + retry_after)

    def _fill(self) -> None:
        now = time.monotonic()
        # Nothing comes back while AWS asks not to be called.
        passed = max(0.0, now - max(self._filled, self._not_before))
        self._filled = now
        self._rate = min(self.full_rate, self._rate + passed * RECOVERY * self.full_rate)
        self._tokens = min(max(1.0, min(BURST, self.full_rate)), self._tokens + passed * self._rate)

    async def _grant(self) -> None:
        while self._waiting:
            self._fill()
            held = self._not_before - time.monotonic()
            if held > 0 or self._tokens < 1:
                await asyncio.sleep(max(held, (1 - self._tokens) / self._rate, 0.001))
                continue
            turn = self._next()
            if turn is not None and not turn.done():
                self._tokens -= 1
                turn.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        self._granted += 1
        if self._granted % _FAIR_TURN == 0:
            longest = min(range(len(self._waiting)), key=lambda index: self._waiting[index][1])
            entry = self._waiting.pop(longest)
            heapq.heapify(self._waiting)
        else:
            entry = heapq.heappop(self._waiting)
        return entry[2]

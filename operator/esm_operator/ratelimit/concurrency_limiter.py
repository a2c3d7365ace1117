"""The concurrency limiter: how many requests to a server may be in flight, by additive increase and multiplicative
decrease (AIMD), as TCP's congestion window.

A server without capacity answers later, not less often. More requests in flight then only wait for each other until all
of them time out. So the limit is halved if answers take much longer than those of the server without load to similar
requests, and after a time-out or a refusal because of overload (429). It grows by one each time that a full window of
requests was answered, and back to the initial limit in any case.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

from esm_operator.clock import monotonic
from esm_operator.ratelimit.latency import Latency
from esm_operator.ratelimit.waiters import RequestPriority, Waiters

#: Requests in flight at the start, and at most.
INITIAL, MOST = 16.0, 64.0
#: An answer is slow if it takes longer than so many seconds, and so many times as long as the fastest one of its group
#: recently. But it is slow in any case from ``SLOWEST`` seconds on.
SLOW, SLOW_RATIO, SLOWEST = 1.0, 1.5, 8.0


class ConcurrencyLimiter:
    """Requests in flight, awaited by priority. For one event loop.

    Example::

        async with limiter.slot(RequestPriority.EDIT):
            sent = monotonic()
            answer = await send()
            limiter.answered(sent)
    """

    def __init__(self) -> None:
        self.latency = Latency()
        self._groups: defaultdict[Hashable, Latency] = defaultdict(Latency)
        self._limit = INITIAL
        self._in_flight = 0
        self._waiting = Waiters()
        self._decreased = -math.inf
        """Monotonic time of the last decrease, in seconds."""
        self._paused_until = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self, priority: RequestPriority) -> AsyncGenerator[None]:
        """Wait until one more request may be in flight, and count it until the end of the block."""
        await self._acquire(priority)
        try:
            yield
        finally:
            self._release()

    def answered(self, sent: float, group: Hashable = None) -> None:
        """Record the answer to a request that was sent at a monotonic time, in seconds.

        Requests of a group take equally long without load. An admission webhook, for example, delays only some groups.
        """
        now = monotonic()
        seconds = now - sent
        full = self._in_flight >= self.limit
        self.latency.record(seconds)
        self._groups[group].record(seconds)
        if seconds > min(SLOWEST, max(SLOW, SLOW_RATIO * self._groups[group].baseline)):
            self._decrease(sent)
        elif full or self._limit < INITIAL:
            self._limit = min(MOST, self._limit + 1 / self._limit)

    def timed_out(self, sent: float) -> None:
        """Record that a request, sent at a monotonic time in seconds, had no answer in time."""
        self.latency.timed_out()
        self._decrease(sent)

    def overloaded(self, sent: float, retry_after: float) -> None:
        """Record that the server has refused a request because of overload. None is sent for some seconds."""
        self._decrease(sent)
        self._paused_until = max(self._paused_until, monotonic() + retry_after)

    async def _acquire(self, priority: RequestPriority) -> None:
        turn = self._waiting.add(priority)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        self._in_flight -= 1
        self._grant()

    def _grant(self) -> None:
        pause = self._paused_until - monotonic()
        if pause > 0:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(pause, self._end_pause)
            return
        while self._in_flight < self.limit and self._waiting.grant():
            self._in_flight += 1

    def _end_pause(self) -> None:
        self._timer = None
        self._grant()

    def _decrease(self, sent: float) -> None:
        """Halve the limit. Of the requests in flight at one time, only one does."""
        if sent >= self._decreased:
            self._limit = max(1.0, self._limit / 2)
            self._decreased = monotonic()

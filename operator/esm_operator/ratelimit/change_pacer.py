"""The change pacer: releases keys that have changed, each at most once in an interval, and all of them at a slow rate.

For changes that can wait. When a key is released, all of its changes so far are carried out.
"""

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from esm_operator.clock import monotonic
from esm_operator.ratelimit.deadline import Deadline
from esm_operator.ratelimit.token_bucket import TokenBucket

Key = TypeVar("Key", bound=Hashable)


class ChangePacer(Generic[Key]):
    """Keys that have changed. A key that was not released within the interval is released as soon as the rate allows.

    For one event loop. Example, with one release a second, and one in ten minutes for each key::

        pacer = ChangePacer[str](rate=1.0, burst=10.0, interval=600.0)
        pacer.add("orders")
        assert await pacer.take() == "orders"
    """

    def __init__(self, rate: float, burst: float, interval: float) -> None:
        """The rate is that of all keys, in releases a second. The interval is that of each key, in seconds."""
        self._bucket = TokenBucket(rate, burst)
        self._interval = interval
        self._deadline = Deadline()
        self._waiting: dict[Key, None] = {}
        """The keys that can be released, the next one first."""
        self._released: dict[Key, float] = {}
        """The times of the releases within the last interval, the oldest first."""
        self._changed_again: set[Key] = set()
        """Those of the released keys that have changed since."""

    def __len__(self) -> int:
        """How many keys have changed and are not released yet."""
        return len(self._waiting) + len(self._changed_again)

    def add(self, key: Key) -> None:
        """Record that a key has changed."""
        if key in self._released:
            self._changed_again.add(key)
        else:
            self._waiting[key] = None
        self._deadline.recheck()

    async def take(self) -> Key:
        """Wait for the next key, and release it."""
        while not self._waiting or self._bucket.delay > 0:
            await self._deadline.until(self._next_due)
        self._bucket.reserve()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._released[key] = monotonic()
        return key

    def forget(self, key: Key) -> None:
        """Forget a key that no longer exists."""
        self._waiting.pop(key, None)
        self._released.pop(key, None)
        self._changed_again.discard(key)

    def _next_due(self) -> float:
        """Monotonic time of the next release, or of the next calculation of that time, in seconds."""
        while self._released:
            key, at = next(iter(self._released.items()))
            if at + self._interval > monotonic():
                break
            del self._released[key]
            if key in self._changed_again:
                self._changed_again.discard(key)
                self._waiting[key] = None
        if self._waiting:
            return monotonic() + self._bucket.delay
        return next(iter(self._released.values()), math.inf) + self._interval

"""The rate limiter of keys: each key gets a turn of its own, at a steady rate, and the time at which to ask again.

Deletions of mappings and retries of failing resources wait by it for minutes or hours, by the thousand. A resource that
has its turn later is requeued until then and costs nothing. Awaiting a :class:`~.rate_limiter.RateLimiter` would hold a
worker for each of them, and a turn can't be given up there.
"""

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from esm_operator.clock import Clock, monotonic
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.token_bucket import TokenBucket

Key = TypeVar("Key", bound=Hashable)

#: The part of the request rate of an account and region that retries may take together.
SHARE = 0.2
#: How many failing resources are brought forward by one that succeeds.
ENCOURAGED = 2


class KeyedRateLimiter(Generic[Key]):
    """Turns by key, so many a second, and a burst after a quiet time.

    A turn that a key gives up goes to the next key that asks.
    """

    def __init__(self, rate: float, burst: float, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._bucket = TokenBucket(rate, burst, clock)
        self._turns: dict[Key, float] = {}
        self._free: list[float] = []
        """A heap of turns that were given and will not be taken."""

    def __len__(self) -> int:
        """How many keys wait for their turn."""
        return len(self._turns)

    def take(self, key: Key) -> float:
        """Take a turn. Returns 0 if it is granted, else the seconds until the key's own turn, when it asks again."""
        turn = self._turns.pop(key) if key in self._turns else self._reserve()
        now = self._clock()
        if turn <= now:
            return 0.0
        self._turns[key] = turn
        return turn - now

    def advance(self, count: int) -> list[Key]:
        """Let the next few keys that wait take their turns now. Returns which."""
        keys = heapq.nsmallest(count, self._turns, key=self._turns.__getitem__)
        for key in keys:
            self._release(self._turns[key])
            self._turns[key] = -math.inf
        return keys

    def forget(self, key: Key) -> None:
        """Release the turn of a key that does not wait any more."""
        self._release(self._turns.pop(key, -math.inf))

    def _reserve(self) -> float:
        """The first turn that was given up, or a new one; as the time from which it may be taken."""
        now = self._clock()
        while self._free and self._free[0] <= now:
            heapq.heappop(self._free)
        return heapq.heappop(self._free) if self._free else self._bucket.reserve()

    def _release(self, turn: float) -> None:
        """Keep a turn for the next key that asks, unless it is over."""
        if turn > self._clock():
            heapq.heappush(self._free, turn)


class FailureBackoff(Generic[Key]):
    """The failing resources, which are retried after their own back-off. If many fail, each also waits for a turn.

    When one succeeds, the cause may be over for others too, so the next few are brought forward, each of which brings
    forward others.
    """

    def __init__(self) -> None:
        self._failing: set[Key] = set()
        self._retries: dict[int, KeyedRateLimiter[Key]] = {}
        """By the rate limiter of requests, which the targets of one account and region share."""

    def failed(self, key: Key) -> None:
        """Record that AWS has refused a resource."""
        self._failing.add(key)

    def is_failing(self, key: Key) -> bool:
        """Whether AWS has refused a resource, and its reconcile has not succeeded since."""
        return key in self._failing

    def wait(self, key: Key, rate_limiter: RateLimiter) -> float:
        """Seconds until a resource may be tried; 0: now, as for all that are not failing."""
        return self._retries_of(rate_limiter).take(key) if key in self._failing else 0.0

    def succeeded(self, key: Key, rate_limiter: RateLimiter) -> list[Key]:
        """Record a success. Returns the failing resources whose turn is now, if this one was failing."""
        if key not in self._failing:
            return []
        self._failing.discard(key)
        return self._retries_of(rate_limiter).advance(ENCOURAGED)

    def forget(self, key: Key) -> None:
        """Forget the failure of a resource that was edited, which ends any waiting, or that no longer exists."""
        self._failing.discard(key)
        for retries in self._retries.values():
            retries.forget(key)

    def _retries_of(self, rate_limiter: RateLimiter) -> KeyedRateLimiter[Key]:
        rate = SHARE * rate_limiter.full_rate
        return self._retries.setdefault(id(rate_limiter), KeyedRateLimiter(rate, burst=1.0))

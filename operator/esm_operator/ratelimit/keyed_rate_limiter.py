"""The rate limiter of keys: each key gets a turn of its own, at a steady rate, and the time at which to ask again.

Deletions of mappings and retries of failing resources wait by it for minutes or hours, by the thousand. A resource that
has its turn later is requeued until then and costs nothing. Awaiting a :class:`~.rate_limiter.RateLimiter` would hold a
worker for each of them, and a turn can't be given up there.
"""

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from esm_operator.clock import monotonic
from esm_operator.ratelimit.token_bucket import TokenBucket

Key = TypeVar("Key", bound=Hashable)


class KeyedRateLimiter(Generic[Key]):
    """Turns by key, so many a second, and a burst after a quiet time.

    A turn that a key gives up goes to the next key that asks.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._turns: dict[Key, float] = {}
        self._free: list[float] = []
        """A heap of turns that were given and will not be taken."""

    def __len__(self) -> int:
        """How many keys wait for their turn."""
        return len(self._turns)

    def take(self, key: Key) -> float:
        """Take a turn. Returns 0 if it is granted, else the seconds until the key's own turn, when it asks again."""
        turn = self._turns.pop(key) if key in self._turns else self._reserve()
        now = monotonic()
        if turn <= now:
            return 0.0
        self._turns[key] = turn
        return turn - now

    def advance(self, count: int) -> list[Key]:
        """Let the next few keys that wait take their turns now. Returns which."""
        waiting = (key for key, turn in self._turns.items() if turn > -math.inf)
        keys = heapq.nsmallest(count, waiting, key=self._turns.__getitem__)
        for key in keys:
            self._release(self._turns[key])
            self._turns[key] = -math.inf
        return keys

    def forget(self, key: Key) -> None:
        """Release the turn of a key that does not wait any more."""
        self._release(self._turns.pop(key, -math.inf))

    def _reserve(self) -> float:
        """The first turn that was given up, or a new one; as the time from which it may be taken."""
        now = monotonic()
        while self._free and self._free[0] <= now:
            heapq.heappop(self._free)
        return heapq.heappop(self._free) if self._free else self._bucket.reserve()

    def _release(self, turn: float) -> None:
        """Keep a turn for the next key that asks, unless it is over."""
        if turn > monotonic():
            heapq.heappush(self._free, turn)

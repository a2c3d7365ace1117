"""AWS's request quotas: a token bucket for each account and region.

All control plane operations of Lambda share one bucket, except three operations with their own quotas. The tagging API
has its own bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

from .clock import Clock

OUTSIDE_OF_QUOTA = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream", "GetFunction", "GetPolicy"})


@dataclass(slots=True)
class Bucket:
    tokens: float
    filled_at: float


class Quota:
    """`rate` requests a second, with a burst of the requests of one second. 0: no limit."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._buckets: dict[tuple[str, str], Bucket] = {}

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        self._buckets.clear()

    def take(self, account: str, region: str) -> bool:
        """Take the token of one request. Returns False if there is none."""
        if not self._rate:
            return True
        now = self._clock()
        burst = max(self._rate, 1.0)
        bucket = self._buckets.setdefault((account, region), Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

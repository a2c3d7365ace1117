"""The back-off of failing resources: when AWS may be asked about one again."""

from collections.abc import Callable, Hashable
from typing import Generic
from weakref import WeakKeyDictionary

from esm_operator.ratelimit.keyed_rate_limiter import Key, KeyedRateLimiter
from esm_operator.ratelimit.rate_limiter import RateLimiter

#: The part of the request rate of an account and region that retries may take together.
SHARE = 0.2
#: How many failing resources are brought forward by one that succeeds.
ENCOURAGED = 2


class FailureBackoff(Generic[Key]):
    """The failing resources, which are retried after their own back-off. If many fail, each also waits for a turn.

    When one succeeds, the cause may be over for others too, so the next few are brought forward, each of which brings
    forward others.

    Parties (namespaces) take turns, so the failing resources of one do not delay those of another. ``party`` returns
    the party of a resource.
    """

    def __init__(self, party: Callable[[Key], Hashable] = lambda _: None) -> None:
        self._party = party
        self._failing: set[Key] = set()
        self._retries: WeakKeyDictionary[RateLimiter, KeyedRateLimiter[Key]] = WeakKeyDictionary()
        """By the rate limiter of requests, which the targets of one account and region share. It is released with
        them."""

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
        for retries in list(self._retries.values()):
            retries.forget(key)

    def _retries_of(self, rate_limiter: RateLimiter) -> KeyedRateLimiter[Key]:
        rate = SHARE * rate_limiter.full_rate
        return self._retries.setdefault(rate_limiter, KeyedRateLimiter(rate, burst=1.0, party=self._party))

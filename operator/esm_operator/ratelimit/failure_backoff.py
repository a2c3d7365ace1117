"""Retries: failing resources together take a part of the request rate only, however many they are.

A failing resource is tried again by its own back-off; if many fail, each also waits for its turn. When one
succeeds, what failed them all may be over: others are brought forward, each of which brings forward others.
Asked by the reconciler.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

from esm_operator.ratelimit.pacer import KeyedRateLimiter
from esm_operator.ratelimit.rate_limiter import RateLimiter

Key = TypeVar("Key", bound=Hashable)

#: The part of the request rate of an account and region that retries may take together.
SHARE = 0.2
#: How many failing resources are brought forward by one that succeeds.
ENCOURAGED = 2


class FailureBackoff(Generic[Key]):
    """The failing resources and their turns."""

    def __init__(self) -> None:
        self._failing: set[Key] = set()
        self._paces: dict[int, KeyedRateLimiter[Key]] = {}
        """By budget, which targets of one account and region share."""

    def failed(self, key: Key) -> None:
        """AWS has refused a resource."""
        self._failing.add(key)

    def is_failing(self, key: Key) -> bool:
        """Whether AWS has refused a resource, and it has not come to rest since."""
        return key in self._failing

    def wait(self, key: Key, rate_limiter: RateLimiter) -> float:
        """Seconds until a resource may be tried; 0: now, as for all that are not failing."""
        return self._pace(rate_limiter).take(key) if key in self._failing else 0.0

    def succeeded(self, key: Key, rate_limiter: RateLimiter) -> list[Key]:
        """A resource has come to rest. Returns the failing ones whose turn is now, if it was failing itself."""
        if key not in self._failing:
            return []
        self._failing.discard(key)
        return self._pace(rate_limiter).advance(ENCOURAGED)

    def forget(self, key: Key) -> None:
        """A resource was edited, which ends any waiting, or is gone."""
        self._failing.discard(key)
        for pace in self._paces.values():
            pace.forget(key)

    def _pace(self, rate_limiter: RateLimiter) -> KeyedRateLimiter[Key]:
        return self._paces.setdefault(id(rate_limiter), KeyedRateLimiter(SHARE * rate_limiter.full_rate, 1.0))

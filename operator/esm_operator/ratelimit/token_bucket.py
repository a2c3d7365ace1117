"""The token bucket: how many tokens there are now, and when the next one comes.

All limits on rates are one of these. They differ in how a caller waits: :class:`~.rate_limiter.RateLimiter` lets
requests await their tokens by priority, :class:`~.keyed_rate_limiter.KeyedRateLimiter` returns the time at which a key
asks again, and the event recorder drops Events that get no token.
"""

import math

from esm_operator.clock import monotonic


class TokenBucket:
    """Tokens at a rate, saved up to a burst. It does not wait itself.

    ``TokenBucket(rate=10.0, burst=3.0)`` grants 3 tokens at the start, and 10 a second after that.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        """Tokens a second. May be changed."""
        self._burst = burst
        self._tokens = burst
        self._filled = monotonic()

    @property
    def tokens(self) -> float:
        """Tokens that may be taken now; negative: so many were reserved that are yet to come."""
        now = monotonic()
        if now > self._filled:
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self.rate)
            self._filled = now
        return self._tokens

    @property
    def delay(self) -> float:
        """Seconds until there is a whole token; 0: there is one."""
        missing = 1 - self.tokens
        return max(0.0, self._filled - monotonic()) + missing / self.rate if missing > 0 else 0.0

    def take(self) -> bool:
        """Take a token if there is one. Returns whether there was one."""
        if self.tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reserve(self) -> float:
        """Take a token, or the next one that comes. Returns the time from which it is there, by the clock."""
        at = monotonic() + self.delay
        self._tokens -= 1
        return at

    def drain(self, until: float = -math.inf) -> None:
        """Drop all tokens. No token comes before the time ``until``, by the clock."""
        self._tokens = min(0.0, self.tokens)
        self._filled = max(self._filled, until)

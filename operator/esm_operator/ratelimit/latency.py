"""The latency of a server, and the time-out that follows from it (as TCP's retransmission time-out, RFC 6298)."""

import math
from collections import deque

from esm_operator.clock import monotonic

#: Weights of the latest sample in the mean and in the mean deviation, and deviations that a time-out allows for.
_MEAN_WEIGHT, _DEVIATION_WEIGHT, _DEVIATIONS = 1 / 8, 1 / 4, 4
#: A time-out is at least so many times the mean.
_LEAST_RATIO = 2.0
#: Seconds for which the least latency counts as the latency of the server without load.
_BASELINE_FOR = 60.0


class Latency:
    """The latency of one kind of request. For one event loop."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._deviation = 0.0
        self._doubled = 0
        self._least: deque[tuple[float, float]] = deque()
        """Samples of the last minute that no later sample was below: the times of their answers, and the seconds."""

    @property
    def mean(self) -> float:
        """The smoothed latency in seconds; 0: there was no answer in the last minute."""
        return self._mean if self._least and self._least[-1][0] >= monotonic() - _BASELINE_FOR else 0.0

    @property
    def baseline(self) -> float:
        """The least latency of the last minute with answers, in seconds; 0: there was no answer yet."""
        return self._least[0][1] if self._least else 0.0

    def record(self, seconds: float) -> None:
        """Record the time from a request to its answer."""
        if not self._least:
            self._mean, self._deviation = seconds, seconds / 2
        self._deviation += _DEVIATION_WEIGHT * (abs(self._mean - seconds) - self._deviation)
        self._mean += _MEAN_WEIGHT * (seconds - self._mean)
        self._doubled = 0
        now = monotonic()
        while self._least and self._least[-1][1] >= seconds:
            self._least.pop()
        self._least.append((now, seconds))
        while self._least[0][0] < now - _BASELINE_FOR:
            self._least.popleft()

    def timed_out(self) -> None:
        """Record that a request had no answer in time. The next time-out is twice as long."""
        self._doubled += 1

    def timeout(self, least: float, longest: float) -> float:
        """Seconds until the next request is given up, within two bounds."""
        wanted = max(least, _LEAST_RATIO * self._mean, self._mean + _DEVIATIONS * self._deviation)
        return min(longest, wanted * 2.0 ** min(self._doubled, math.ceil(math.log2(max(2.0, longest / least)))))

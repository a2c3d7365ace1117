"""The fence: no write begins unless the lease runs longer than the write can take.

Neither AWS nor the Kubernetes API can tell a leader from one that was, so a process has to hold itself back.
A fence belongs to one stretch of holding the lease and never opens again once that is over: what was planned
before is stale, even if the same process holds the lease again. The lease opens it; what writes asks it.
Pure but for the clock.
"""

from esm_operator.clock import Clock, monotonic

#: Seconds beyond a call's own time-out for which the lease must run: for what no time-out covers.
MARGIN = 2.0


class NotLeadingError(Exception):
    """The write did not begin: this process does not hold the lease, or not for long enough."""


class Fence:
    """Whether writes may begin. Closed when made. Asked from several threads."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._closed = False

    def extend(self, until: float) -> None:
        """The lease runs until then, by the fence's clock."""
        self._until = until

    def close(self) -> None:
        """The lease is lost or given back, for good."""
        self._closed = True

    @property
    def left(self) -> float:
        """Seconds for which the lease still runs; 0 or less: it has ended."""
        return 0.0 if self._closed else self._until - self._clock()

    def covers(self, seconds: float) -> bool:
        """Whether the lease runs longer than that."""
        return not self._closed and self.left > seconds

    def check(self, timeout: float) -> None:
        """Called immediately before a write that takes at most so many seconds.

        Raises:
            NotLeadingError: the lease may not outlast it.
        """
        if not self.covers(timeout + MARGIN):
            raise NotLeadingError


#: What is in the way of a write that belongs to no stretch of leading.
SHUT = Fence()

"""The fence: no write begins unless the lease runs longer than the write can take.

Neither AWS nor the Kubernetes API can distinguish the leader from a former leader, so a process has to hold itself
back. Each period in which a process holds the lease has its own fence, which never opens again after it. A plan from
before is stale, even if the same process holds the lease again. The lease opens the fence, and each write checks it.
Pure except for the clock.
"""

from collections.abc import Callable

from esm_operator.clock import monotonic

#: Seconds beyond a call's own time-out for which the lease must run: for what no time-out covers.
MARGIN = 2.0


class NotLeadingError(Exception):
    """The write did not begin: this process does not hold the lease, or not for long enough."""


class Fence:
    """Whether writes may begin. Closed when made. Asked from several threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
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

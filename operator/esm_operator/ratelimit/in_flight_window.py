"""The in-flight window: the limit on the requests that AWS may count within any one second, whatever has delayed them.

A token bucket grants requests evenly. But a process that gets no processor for a moment, as one with a CPU limit, sends
at the same time what was granted meanwhile, and requests may be delayed on their way. So immediately before a request
is sent, it waits here for a slot, and releases it only a second after its answer: AWS counts it at some moment between.
Used by the threads that send, so it blocks.
"""

import itertools
import threading

from esm_operator.clock import monotonic

#: Seconds of a window: AWS counts requests by the second.
LENGTH = 1.0


class InFlightWindow:
    """At most ``most`` requests within any one second.

    ``rate``: requests a second that are sent even while AWS takes long to answer. A request that has been under way for
    as long as that takes counts as arrived.
    """

    def __init__(self, most: int, rate: float) -> None:
        self._most = most
        self._under_way = max(0.0, most / rate - LENGTH)
        self._slots = itertools.count()
        self._taken: dict[int, float] = {}
        """By slot: the monotonic time at which it is free again, in seconds."""
        self._changed = threading.Condition()

    def wait(self) -> int:
        """Wait, blocking, until one more request may be sent. Returns its slot."""
        with self._changed:
            while True:
                now = monotonic()
                self._taken = {slot: until for slot, until in self._taken.items() if until > now}
                if len(self._taken) < self._most:
                    slot = next(self._slots)
                    self._taken[slot] = now + self._under_way + LENGTH
                    return slot
                self._changed.wait(min(self._taken.values()) - now)

    def release(self, slot: int) -> None:
        """Free a slot in a second, because its request was answered or given up."""
        with self._changed:
            if slot in self._taken:
                self._taken[slot] = min(self._taken[slot], monotonic() + LENGTH)
            self._changed.notify_all()

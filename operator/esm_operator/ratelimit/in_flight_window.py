"""The window: how many requests reach AWS within any one second, whatever held them up.

The budget grants turns evenly, but a process that gets no processor for a moment, as one with a CPU limit does, sends
at once what has been granted meanwhile, and what is sent may be held up on its way. So the last thing that happens to a
request before it is sent is that it waits here for a slot, which it gives up only a second after its answer: AWS
counts it at some moment between. Asked from the threads that send.
"""

import threading
import time
from dataclasses import dataclass

#: Seconds of a window: AWS counts requests by the second.
LENGTH = 1.0


@dataclass(slots=True)
class InFlightSlot:
    """A request's, while it may count."""

    until: float
    """When it is given up, in monotonic seconds."""


class InFlightWindow:
    """At most so many requests within any one second."""

    def __init__(self, most: int, rate: float) -> None:
        """
        Args:
            most: requests within a second.
            rate: requests a second that are sent even while AWS takes long to answer; one that long under way is taken
                to have reached it.
        """
        self._most = most
        self._under_way = max(0.0, most / rate - LENGTH)
        self._taken: list[InFlightSlot] = []
        self._changed = threading.Condition()

    def wait(self) -> InFlightSlot:
        """Wait, blocking, until one more may be sent. Returns its slot."""
        with self._changed:
            while True:
                now = time.monotonic()
                self._taken = [slot for slot in self._taken if slot.until > now]
                if len(self._taken) < self._most:
                    taken = InFlightSlot(now + self._under_way + LENGTH)
                    self._taken.append(taken)
                    return taken
                self._changed.wait(min(slot.until for slot in self._taken) - now)

    def answered(self, slot: InFlightSlot) -> None:
        """The request that has a slot was answered, or given up."""
        with self._changed:
            slot.until = min(slot.until, time.monotonic() + LENGTH)
            self._changed.notify_all()

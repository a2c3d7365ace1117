"""The window: how many requests reach AWS within any one second, whatever held them up.

The budget grants turns evenly, but a process that gets no processor for a moment, as one with a CPU limit does, sends
at once what has been granted meanwhile, and what is sent may be held up on its way. So the last thing that happens to a
request before it is sent is that it waits here for a place, which it gives up only a second after its answer: AWS
counts it at some moment between. Asked from the threads that send.
"""

import threading
import time
from dataclasses import dataclass

#: Seconds of a window: AWS counts requests by the second.
LENGTH = 1.0


@dataclass(slots=True)
class Place:
    """A request's, while it may count."""

    until: float
    """When it is given up, in monotonic seconds."""


class Window:
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
        self._taken: list[Place] = []
        self._changed = threading.Condition()

    def wait(self) -> Place:
        """Wait, blocking, until one more may be sent. Returns its place."""
        with self._changed:
            while True:
                now = time.monotonic()
                self._taken = [place for place in self._taken if place.until > now]
                if len(self._taken) < self._most:
                    taken = Place(now + self._under_way + LENGTH)
                    self._taken.append(taken)
                    return taken
                self._changed.wait(min(place.until for place in self._taken) - now)

    def answered(self, place: Place) -> None:
        """The request that has a place was answered, or given up."""
        with self._changed:
            place.until = min(place.until, time.monotonic() + LENGTH)
            self._changed.notify_all()

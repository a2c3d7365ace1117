"""The window: how many requests are sent within any one second, whatever held them up before.

The budget grants turns evenly, but a process that gets no processor for a moment, as one with a CPU limit does, sends
at once what has been granted meanwhile. So the last thing that happens to a request before it is sent is that it waits
here. Asked from the threads that send.
"""

import threading
import time
from collections import deque

#: Seconds of a window: AWS counts requests by the second.
LENGTH = 1.0


class Window:
    """At most so many requests within any one second."""

    def __init__(self, most: int) -> None:
        """
        Args:
            most: requests within a second.
        """
        self._sent: deque[float] = deque(maxlen=most)
        """When the last ones were sent, in monotonic seconds."""
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait, blocking, until one more may be sent."""
        while pause := self._pause():
            time.sleep(pause)

    def _pause(self) -> float:
        """Seconds until one more may be sent; 0: it is sent now. Who slept asks again, for it may be woken late."""
        with self._lock:
            now = time.monotonic()
            if len(self._sent) == self._sent.maxlen and now < self._sent[0] + LENGTH:
                return self._sent[0] + LENGTH - now
            self._sent.append(now)
            return 0.0

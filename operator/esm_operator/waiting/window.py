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
        """When the last ones were sent, or are going to be, in monotonic seconds."""
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait, blocking, until one more may be sent."""
        with self._lock:
            now = time.monotonic()
            full = len(self._sent) == self._sent.maxlen
            at = max(now, self._sent[0] + LENGTH) if full else now
            self._sent.append(at)
        if at > now:
            time.sleep(at - now)

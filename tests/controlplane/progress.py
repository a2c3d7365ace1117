"""Lines on the terminal while something takes minutes."""

import sys
import time


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class Progress:
    """Prints a line at the start, and then at most one in each interval, with the time since the start."""

    def __init__(self, announcement: str, interval: float) -> None:
        """
        Args:
            announcement: the first line.
            interval: seconds between two lines.
        """
        say(announcement)
        self._interval = interval
        self._began = self._printed = time.monotonic()

    def elapsed(self) -> str:
        """The time since the start, such as ``2 min 05 s``."""
        minutes, seconds = divmod(round(time.monotonic() - self._began), 60)
        return f"{minutes} min {seconds:02} s"

    def tick(self, message: str) -> None:
        """Print the message, unless another line was printed a moment ago."""
        now = time.monotonic()
        if now - self._printed >= self._interval:
            self._printed = now
            say(f"  {self.elapsed()}: {message}")

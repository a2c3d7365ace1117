"""Signs of life on the terminal while something takes minutes."""

import sys
import time


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class Progress:
    """Says a line at the start, and then at most one every few seconds, with the time that has gone by."""

    def __init__(self, announcement: str, interval: float = 15) -> None:
        say(announcement)
        self._interval = interval
        self._began = self._last_said = time.monotonic()

    def elapsed(self) -> str:
        minutes, seconds = divmod(round(time.monotonic() - self._began), 60)
        return f"{minutes} min {seconds:02} s"

    def tick(self, message: str) -> None:
        now = time.monotonic()
        if now - self._last_said >= self._interval:
            self._last_said = now
            say(f"  {self.elapsed()}: {message}")

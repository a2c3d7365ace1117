"""Words about how far a command is. Called by the commands that read a whole account, for who waits at a terminal."""

import time
from collections.abc import Callable

#: Seconds between two words.
PAUSE = 5.0


class Progress:
    """Says how far it is, not more often than now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """
        Args:
            say: told a line at a time.
        """
        self._say = say
        self._said = time.monotonic()

    def __call__(self, text: str) -> None:
        """Say it, unless something was said just before."""
        if time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            self._say(text)

"""What is written on the terminal while something takes long: how much is done, and how long the rest may take."""

import time
from collections.abc import Callable

from tests.bench.errors import BenchError
from tests.waiting import eventually

#: Seconds between lines.
EVERY = 10.0
#: It is not foretold how long the rest takes, as long as it is more than so many times what is done.
_FEW = 100


def say(text: str) -> None:
    """A line of its own."""
    print(text, flush=True)


class Progress:
    """Of one thing that takes long."""

    def __init__(self, what: str, total: int) -> None:
        """
        Args:
            what: of what there are so many, such as ``created``.
            total: how many there will be.
        """
        self._what = what
        self._total = total
        self._began = self._said = time.monotonic()
        self._at_first: int | None = None

    def tick(self, done: int) -> None:
        """So many are done; the line is printed now and then."""
        now = time.monotonic()
        if self._at_first is None:
            self._at_first = done
        if now - self._said < EVERY:
            return
        self._said = now
        rest = remaining(done - self._at_first, self._total - done, now - self._began)
        say(f"  {done:>7,} of {self._total:,} {self._what}{rest}")


def remaining(done: int, left: int, seconds: float) -> str:
    """How long the rest takes at the present speed; empty if that is unknown: at first, or where it begins late."""
    if left <= 0 or done * _FEW < left:
        return ""
    return f", about {left * seconds / done:.0f} s to go"


def until(
    what: str,
    total: int,
    count: Callable[[], int],
    *,
    timeout: float,
    check: Callable[[], None],
    every: float = 0.1,
) -> None:
    """Wait until so many are done.

    Args:
        what: of what there are so many.
        total: how many there will be.
        count: how many are done.
        timeout: seconds after which it is given up.
        check: raises if it makes no sense to wait any longer.
        every: seconds between looks.

    Raises:
        BenchError: it took too long.
    """
    progress, done = Progress(what, total), 0

    def all_done() -> bool:
        nonlocal done
        done = count()
        if done < total:
            check()
            progress.tick(done)
        return done >= total

    eventually(all_done, lambda: f"{total:,} {what}; there are {done:,}", limit=timeout, every=every, error=BenchError)

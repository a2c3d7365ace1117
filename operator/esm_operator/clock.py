"""The clock of the process. All code asks it for the time, so tests can replace it.

It has two hands. Every decision is made by the monotonic one, which nobody can set. The wall time is only shown to
people, and compared with times that AWS and the API server have written.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Returns a time in seconds. A parameter of what tests run with a clock of its own."""


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """Seconds since some moment, also while the machine is suspended."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


_clock = SystemClock()


@contextmanager
def replaced(clock: SystemClock) -> Generator[None]:
    """Let all code ask another clock, in all threads, until the block ends."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def monotonic() -> float:
    """Seconds since some moment, by a clock that nobody can set."""
    return _clock.monotonic()


def wall() -> float:
    """Seconds since 1970, by the clock that people set."""
    return _clock.wall()


def timestamp() -> str:
    """The wall time as Kubernetes writes it, to the second."""
    return datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def microtime() -> str:
    """The wall time as Kubernetes' MicroTime."""
    return datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_since(text: str) -> float:
    """Seconds from a time in RFC 3339 until now; 0 if the text is no time, or a time to come."""
    try:
        return max(0.0, wall() - datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0

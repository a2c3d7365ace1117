"""The clock of the process. All code reads the time here, so that tests can replace the clock.

The clock has a monotonic time and a wall time. Decisions use the monotonic time, which nobody can set. The wall time is
only written for people, and compared with times that AWS and the API server have written.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary time. It includes the time while the machine is suspended."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


_clock = SystemClock()


@contextmanager
def replaced(clock: SystemClock) -> Generator[None]:
    """Replace the clock for all code, in all threads, until the block ends."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def monotonic() -> float:
    """Seconds since an arbitrary time, by a clock that nobody can set."""
    return _clock.monotonic()


def wall() -> float:
    """Seconds since 1970, by a clock that people can set."""
    return _clock.wall()


def timestamp() -> str:
    """The wall time in the format of Kubernetes' Time, to the second."""
    return datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def microtime() -> str:
    """The wall time in the format of Kubernetes' MicroTime."""
    return datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_since(text: str) -> float:
    """Seconds from a time in RFC 3339 until now; 0 if the text is not a time, or if the time is in the future."""
    try:
        return max(0.0, wall() - datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0


def seconds_between(first: str, second: str) -> float:
    """Seconds from one time in RFC 3339 to another; 0 if one of them is not a time, or if the first is later."""
    try:
        return max(0.0, (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds())
    except (TypeError, ValueError):
        return 0.0

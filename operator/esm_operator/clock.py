"""Two clocks: one to decide by, which nobody sets, and one for people to read.

Both are asked by what waits, paces or tells. Nothing is ever decided by the time that people read.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock that is a parameter, so that tests can set it: returns seconds."""

    def __call__(self) -> float: ...


def passed() -> float:
    """Seconds that passed since some moment, also while the machine was suspended; no clock that anybody can set."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def moment() -> str:
    """The time that people read, as Kubernetes writes it."""
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(text: str) -> float:
    """Seconds from a time in RFC 3339 until now, by clocks that people set; 0 if the text is no time, or to come."""
    try:
        return max(0.0, time.time() - datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0


def precise_moment() -> str:
    """The time that people read, to the microsecond: Kubernetes' MicroTime."""
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""How fast a count grows, from readings of it now and then. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Seconds over which a speed is measured.
WINDOW = 10.0
#: The share of the former speed that counts as full speed.
FULL = 0.9


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a count."""

    at: float
    """Monotonic time, in seconds."""
    count: int


def rate(readings: Sequence[Reading]) -> float:
    """Counts a second from the last reading before the first change until the last reading; 0 without a change."""
    changed = next((index for index, one in enumerate(readings) if one.count > readings[0].count), 0)
    first, last = readings[max(0, changed - 1)], readings[-1]
    return (last.count - first.count) / (last.at - first.at) if changed else 0.0


def recovery(readings: Sequence[Reading], since: float, before: float) -> float | None:
    """Seconds until the count grows as fast as before.

    Args:
        readings: in the order of their times.
        since: the time at which the cause of the slowness ended.
        before: counts a second before it.

    Returns:
        the time from ``since`` to the beginning of the first window in which the count grows at full speed; None: there
        is no such window.
    """
    for index, first in enumerate(readings):
        if first.at >= since:
            last = next((one for one in readings[index:] if one.at >= first.at + WINDOW), None)
            if last is None:
                return None
            if last.count - first.count >= FULL * before * (last.at - first.at):
                return first.at - since
    return None

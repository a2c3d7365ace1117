"""Clocks for tests."""

from esm_operator.clock import SystemClock


class Clock:
    """A clock that stands until it is moved, for what takes one as a parameter."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class StoppedClock(SystemClock):
    """A clock of the process that stands until it is moved."""

    now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


class ShiftedClock(SystemClock):
    """A clock of the process that is ahead of the machine's."""

    ahead = 0.0
    """By so many seconds."""

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.ahead

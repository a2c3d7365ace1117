"""Clocks for tests."""

from collections.abc import Generator
from contextlib import contextmanager

from esm_operator.clock import SystemClock, replaced


class StoppedClock(SystemClock):
    """A clock of the process that stands until it is moved."""

    now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@contextmanager
def stopped() -> Generator[StoppedClock]:
    """Stop the clock of the process until the block ends."""
    clock = StoppedClock()
    with replaced(clock):
        yield clock


class ShiftedClock(SystemClock):
    """A clock of the process that is ahead of the machine's."""

    ahead = 0.0
    """By so many seconds."""

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.ahead


class TickingClock(SystemClock):
    """A clock of the process on which each reading is a microsecond later than the last one, as on a real machine."""

    now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        self.now += 1e-6
        return self.now

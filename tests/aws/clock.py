"""The type of the server's clock: a function that returns the elapsed seconds.

The server computes state transitions, quotas, faults and delays from the clock when a request arrives. It needs no
threads and no timers, and unit tests set the clock by hand.
"""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]

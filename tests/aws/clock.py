"""The server's clock, as a type: a source of the number of seconds.

State transitions, quotas, faults and lags are all computed from it when a request comes in. There is no
thread or timer behind them, and the tests of those modules move the clock by hand.
"""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]

"""Drift back-off: a change that AWS did not keep is sent again, at growing intervals.

Somebody else may be changing the mapping too, or AWS itself: AWS disables a mapping whose queue was deleted. Each
resource has one of these in its :class:`~esm_operator.reconcile.state.ResourceState`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from esm_operator.api.values import Canonical
from esm_operator.clock import Clock, monotonic
from esm_operator.ratelimit import backoff

#: Seconds before the same change is sent a second time, and the longest interval.
FIRST, LONGEST = 30.0, 900.0
#: Seconds after which a change that AWS kept for that long counts as new.
FORGOTTEN = 4 * LONGEST


@dataclass(slots=True)
class _Sent:
    change: Mapping[str, Canonical]
    times: int
    at: float
    not_before: float


class DriftBackoff:
    """When the same change of one mapping may be sent again."""

    __slots__ = ("_clock", "_sent")

    def __init__(self, clock: Clock = monotonic) -> None:
        """
        Args:
            clock: seconds that only grow.
        """
        self._clock = clock
        self._sent: dict[str, _Sent] = {}

    def wait(self, kind: str, change: Mapping[str, Canonical]) -> float:
        """Seconds until a change may be sent; 0: now.

        Args:
            kind: ``fields`` or ``tags``. Each has a back-off of its own.
            change: the new values.
        """
        last = self._sent.get(kind)
        if last is None or last.change != change:
            return 0.0
        return max(0.0, last.not_before - self._clock())

    def sent(self, kind: str, change: Mapping[str, Canonical]) -> None:
        """Record that a change was sent."""
        now = self._clock()
        last = self._sent.get(kind)
        again = last is not None and last.change == change and now - last.at < FORGOTTEN
        times = last.times + 1 if last is not None and again else 0
        self._sent[kind] = _Sent(change, times, now, now + backoff.exponential(times, FIRST, LONGEST))

    def clear(self) -> None:
        """Forget all changes: the resource was edited, so its next change is sent immediately."""
        self._sent.clear()

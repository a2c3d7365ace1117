"""Corrections: changes that AWS did not keep are sent again, but ever more rarely.

Somebody else may be changing the mapping too, or AWS itself: it disables a mapping whose queue is gone. Asked
and told by the reconciler, for each resource and kind of change by itself. Kept for the process's life only.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from esm_operator.clock import passed

Key = TypeVar("Key", bound=Hashable)

#: Seconds before the same change is sent a second time, doubling from there to the longest.
FIRST, LONGEST = 30.0, 900.0
#: Seconds after which a change that was kept so long counts as new.
FORGOTTEN = 4 * LONGEST


@dataclass(slots=True)
class _Sent:
    change: Mapping[str, Any]
    times: int
    at: float
    not_before: float


class DriftBackoff(Generic[Key]):
    """When the same change may be sent again."""

    def __init__(self, clock: Callable[[], float] = passed) -> None:
        self._clock = clock
        self._sent: dict[tuple[Key, str], _Sent] = {}

    def wait(self, key: Key, kind: str, change: Mapping[str, Any]) -> float:
        """Seconds until a change may be sent; 0: now.

        Args:
            key: the resource.
            kind: what sort of change it is; each has its own memory.
            change: what is to be changed into what.
        """
        last = self._sent.get((key, kind))
        if last is None or last.change != change:
            return 0.0
        return max(0.0, last.not_before - self._clock())

    def sent(self, key: Key, kind: str, change: Mapping[str, Any]) -> None:
        """A change was sent."""
        now = self._clock()
        last = self._sent.get((key, kind))
        again = last is not None and last.change == change and now - last.at < FORGOTTEN
        times = last.times + 1 if last is not None and again else 0
        self._sent[key, kind] = _Sent(change, times, now, now + min(LONGEST, FIRST * 2.0 ** min(times, 20)))

    def forget(self, key: Key) -> None:
        """The resource was edited, or is gone: what it wants is wanted at once."""
        for mark in [mark for mark in self._sent if mark[0] == key]:
            del self._sent[mark]

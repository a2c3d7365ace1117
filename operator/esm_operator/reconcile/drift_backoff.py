"""Drift back-off: the operator repeats a change that AWS did not keep, at growing intervals.

Another client may change the mapping too, or AWS itself. For example, AWS disables a mapping whose queue was deleted.
Each resource has a drift back-off in its :class:`~esm_operator.reconcile.resource_state.ResourceState`.

The same applies to a mapping that another client deletes each time the operator has created it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from esm_operator.api.values import Canonical
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff

#: Seconds before the same change is sent a second time, and the longest interval.
FIRST, LONGEST = 30.0, 900.0
#: Seconds since the last attempt after which a repeated change counts as new.
FORGOTTEN = 4 * LONGEST


@dataclass(frozen=True, slots=True)
class _Sent:
    change: Mapping[str, Canonical]
    drift: bool
    """Whether the change corrected drift; False: it carried out an edit."""
    times: int
    at: float


class DriftBackoff:
    """The time at which the same change of one mapping may be sent again. Each kind of change has its own back-off."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def wait(self, kind: str, change: Mapping[str, Canonical], *, drift: bool) -> float:
        """Seconds until a change may be sent; 0: now.

        ``drift``: the mapping matched the spec before. So an edit that is undone in AWS is corrected immediately.
        """
        last = self._same(kind, change)
        if last is None or (drift and not last.drift):
            return 0.0
        return max(0.0, last.at + backoff.exponential(last.times, FIRST, LONGEST) - monotonic())

    def repeats(self, kind: str, change: Mapping[str, Canonical]) -> bool:
        """Whether the last change that was sent is the same."""
        return self._same(kind, change) is not None

    def sent(self, kind: str, change: Mapping[str, Canonical], *, drift: bool) -> None:
        """Record that a change was sent."""
        now, last = monotonic(), self._same(kind, change)
        if last is None or now - last.at >= FORGOTTEN or (drift and not last.drift):
            self._sent[kind] = _Sent(change, drift, 0, now)
        else:
            self._sent[kind] = _Sent(change, last.drift, last.times + 1, now)

    def clear(self) -> None:
        """Forget all changes: the resource was edited, so its next change is sent immediately."""
        self._sent.clear()

    def forget(self, *kinds: str) -> None:
        """Forget the changes of some kinds, because they were sent to a mapping that does not exist any more."""
        for kind in kinds:
            self._sent.pop(kind, None)

    def _same(self, kind: str, change: Mapping[str, Canonical]) -> _Sent | None:
        last = self._sent.get(kind)
        return last if last is not None and last.change == change else None

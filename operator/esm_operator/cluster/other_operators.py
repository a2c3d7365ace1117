"""Other operators that work on the same resources, known by the name under which each writes.

The API server notes who wrote which fields last, and when. A name of another operator is history where a resource
moved from one to the other; where such a time changes on a resource that is known here, the other works on it still.
Fed by the operator with what the watch brings, which asks it what to tell. Pure but for the clock.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from esm_operator.api.resource import Key
from esm_operator.clock import passed
from esm_operator.cluster.operator_names import MANAGER

#: Seconds after its last write for which another operator is told of, and between lines in the log about it.
TOLD_FOR = 3600.0


class FieldWrites(NamedTuple):
    """What others wrote of one resource."""

    times: Mapping[str, str]
    """When each other operator wrote last, as RFC 3339 text, by its field manager."""
    last: str
    """The field manager of the one that wrote after this operator did; empty: none."""


class OtherOperators:
    """Who else writes. For one event loop."""

    def __init__(
        self, own: str, clock: Callable[[], float] = passed, wall: Callable[[], float] = lambda: time.time()
    ) -> None:
        """
        Args:
            own: the field manager of this operator.
            clock: seconds.
            wall: seconds since 1970, which the API server's times are compared with.
        """
        self._own = own
        self._clock = clock
        self._wall = wall
        self._began = 0.0
        self._before: list[str] = []
        self._writes: dict[Key, FieldWrites] = {}
        self._met: dict[str, float] = {}
        """When each wrote last."""
        self._told: dict[str, float] = {}
        """When each was told of last."""

    def seen(self, key: Key, body: Mapping[str, Any], *, known: bool) -> str:
        """An object as the watch has it.

        Args:
            key: its name.
            body: the object.
            known: whether this very object was known before.

        Returns:
            what to tell of an operator that was not told of lately; empty: nothing.
        """
        before = self._writes.get(key)
        now = _writes(body, self._own)
        if now is not None:
            self._writes[key] = now
        elif before is not None:
            del self._writes[key]
        if now is None or not known:
            return ""
        times = before.times if before is not None else {}
        writing = [manager for manager, time in now.times.items() if time > times.get(manager, "")]
        moment = self._clock()
        self._met.update(dict.fromkeys(writing, moment))
        for manager in writing:
            if moment - self._told.get(manager, -TOLD_FOR) >= TOLD_FOR:
                self._told[manager] = moment
                return self._text(manager)
        return ""

    def forget(self, key: Key) -> None:
        """A resource is gone, or not this operator's any more."""
        self._writes.pop(key, None)

    def begin(self) -> list[str]:
        """The work begins, with all resources seen. Returns what to tell of who wrote to them last, and lately."""
        self._began = self._clock()
        since = self._wall() - TOLD_FOR
        counts = Counter(
            one.last for one in self._writes.values() if one.last and _seconds(one.times[one.last]) >= since
        )
        self._before = [
            f"The operator of the lease {_lease(manager)} was the last to write to resources of this one, {count} of "
            f"them, within the last hour. Should it still run, two work on the same. {self._remedy()}"
            for manager, count in sorted(counts.items())
        ]
        return self._before

    def told(self) -> list[str]:
        """What to tell of those that write; while none does, of those that wrote shortly before the work began."""
        now = self._clock()
        met = [
            f"{self._text(manager)}{_ago(now - at)}" for manager, at in sorted(self._met.items()) if now - at < TOLD_FOR
        ]
        return met or (self._before if now - self._began < TOLD_FOR else [])

    @property
    def met(self) -> int:
        """How many have written to resources that were known here, within the last hour."""
        now = self._clock()
        return sum(now - at < TOLD_FOR for at in self._met.values())

    def _text(self, manager: str) -> str:
        return (
            f"Another operator works on the same resources, that of the lease {_lease(manager)}. Each changes what "
            f"the other has written. {self._remedy()}"
        )

    def _remedy(self) -> str:
        return (
            f"Stop one of the two, or set --namespaces or --selector so that each resource is one operator's only, or "
            f"give both the lease {_lease(self._own)}, so that one stands by for the other."
        )


def _ago(seconds: float) -> str:
    """What to add where it has not written for a while."""
    minutes = int(seconds / 60)
    if not minutes:
        return ""
    unit = "minute" if minutes == 1 else "minutes"
    return f" It wrote last {minutes} {unit} ago; if it has ended since, there is nothing to do."


def _seconds(text: str) -> float:
    """Seconds since 1970 of a time of the API server's; 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _lease(manager: str) -> str:
    return manager.removeprefix(MANAGER)


def _writes(body: Mapping[str, Any], own: str) -> FieldWrites | None:
    """What others wrote of an object; None: nothing."""
    times: dict[str, str] = {}
    for entry in body["metadata"].get("managedFields") or ():
        manager, time = str(entry.get("manager") or ""), str(entry.get("time") or "")
        if manager.startswith(MANAGER):
            times[manager] = max(time, times.get(manager, ""))
    ours = times.pop(own, "")
    if not times:
        return None
    last = max(times, key=lambda manager: times[manager])
    return FieldWrites(times, last if times[last] > ours else "")

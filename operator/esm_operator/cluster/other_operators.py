"""Other operators that work on the same resources, known by the field manager under which each writes.

The API server records in ``managedFields`` the time of each manager's last write to an object. The entry of another
operator is history where a resource moved from that operator to this one. So one time is kept for each operator: its
latest write that was found on a new resource, or noticed. A later time on a resource that was known here before is a
write that the other operator made meanwhile, so it still works on that resource.

Nothing is kept of a resource. The price is that a write is missed if it is not later than that time, for example within
the same second. The next write is noticed. Fed by the operator with what the watch brings, which asks it what to tell.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from esm_operator.clock import Clock, monotonic, wall
from esm_operator.cluster.operator_names import MANAGER
from esm_operator.ratelimit.report_filter import ReportFilter

#: Seconds after its last write for which another operator is told of, and between lines in the log about it.
REPORTED_FOR = 3600.0
#: Seconds by which the clock of an API server may be ahead of ours. A time beyond that was written by hand.
AHEAD = 3600.0


@dataclass(slots=True)
class _Other:
    """What is known of one other operator."""

    wrote: float = 0.0
    """The latest of its writes that were found on new resources or noticed, in seconds since 1970."""
    noticed: float = -math.inf
    """When a write of it was noticed last, in seconds of the clock."""


class OtherOperators:
    """Who else writes. For one event loop."""

    def __init__(self, own: str, clock: Clock = monotonic, wall: Clock = wall) -> None:
        """
        Args:
            own: the field manager of this operator.
            clock: seconds.
            wall: seconds since 1970, which the API server's times are compared with.
        """
        self._own = own
        self._clock = clock
        self._wall = wall
        self._others: dict[str, _Other] = {}
        """By field manager."""
        self._reports = ReportFilter(REPORTED_FOR, clock)
        """By field manager."""
        self._last_writers: Counter[str] = Counter()
        """New resources by the other operator that was the last to write to them, where that was within an hour."""
        self._began = 0.0
        self._before: list[str] = []

    def seen(self, body: Mapping[str, Any], *, known: bool) -> str:
        """An object as the watch has it.

        Args:
            body: the object.
            known: whether this very object was known before.

        Returns:
            what to tell of an operator that was not told of lately; empty: nothing.
        """
        if not known:
            self._count_last_writer(body)
        text = ""
        for manager, wrote in _writes(body):
            if manager == self._own:
                continue
            other = self._others.setdefault(manager, _Other())
            if not other.wrote < wrote <= self._wall() + AHEAD:
                continue
            other.wrote = wrote
            if known:
                other.noticed = self._clock()
                if not text and self._reports.admit(manager):
                    text = self._text(manager)
        return text

    def begin(self) -> list[str]:
        """All resources that exist have been seen. Returns what to tell of who wrote to them last, and lately."""
        self._began = self._clock()
        self._before = [
            f"The operator of the lease {_lease(manager)} was the last to write to resources of this one, {count} of "
            f"them, within the last hour. Should it still run, two work on the same. {self._remedy()}"
            for manager, count in sorted(self._last_writers.items())
        ]
        return self._before

    def told(self) -> list[str]:
        """What to tell of those that write; while none does, of those that wrote shortly before the start."""
        now = self._clock()
        met = [
            f"{self._text(manager)}{_ago(now - other.noticed)}"
            for manager, other in sorted(self._others.items())
            if now - other.noticed < REPORTED_FOR
        ]
        return met or (self._before if now - self._began < REPORTED_FOR else [])

    @property
    def met(self) -> int:
        """How many have written to resources that were known here, within the last hour."""
        now = self._clock()
        return sum(now - other.noticed < REPORTED_FOR for other in self._others.values())

    def _count_last_writer(self, body: Mapping[str, Any]) -> None:
        writes = [(wrote, manager == self._own, manager) for manager, wrote in _writes(body)]
        if writes:
            wrote, is_own, manager = max(writes)
            if not is_own and wrote >= self._wall() - REPORTED_FOR:
                self._last_writers[manager] += 1

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


def _writes(body: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The field managers of operators that wrote an object, perhaps several times, and when, in seconds since 1970."""
    for entry in body["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if manager.startswith(MANAGER):
            yield manager, _seconds(str(entry.get("time") or ""))


def _seconds(text: str) -> float:
    """Seconds since 1970 of a time of the API server's; 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _lease(manager: str) -> str:
    return manager.removeprefix(MANAGER)

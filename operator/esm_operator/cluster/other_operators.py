"""Other operators that write to the same resources, known by their field managers.

The API server records in ``managedFields`` the time of each manager's last write to an object. The entry of another
operator is history if a resource moved from that operator to this one. So one time is kept for each operator: its
latest write that was found on a new resource, or noticed. A later time on a resource that was known here before is a
write that the other operator made meanwhile, so it still works on that resource.

Nothing is kept of a resource. The price is that a write is missed if it is not later than that time, for example within
the same second. The next write is noticed. The operator passes watch events to it, and logs what it returns.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from esm_operator.api.resource import FINALIZER
from esm_operator.clock import monotonic, wall
from esm_operator.cluster.operator_names import MANAGER
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.token_bucket import TokenBucket
from esm_operator.status.rendering import message

#: Seconds after its last write for which another operator is reported, and between log lines about it. For all of them
#: together, there are at most ``MOST`` lines without a pause, and in these seconds.
REPORTED_FOR = 3600.0
#: Seconds by which the clock of an API server may be ahead of ours. A time beyond that was written by hand.
AHEAD = 3600.0
#: The most other operators that are remembered, which are those that wrote last. Users choose the names of field
#: managers, and so can invent operators.
MOST = 20


class OtherOperators:
    """The other operators that write. For one event loop."""

    def __init__(self, own: str) -> None:
        """``own`` is the field manager of this operator."""
        self._own = own
        self._wrote: dict[str, float] = {}
        """By field manager: its latest write that was found on a new resource or noticed, in seconds since 1970."""
        self._noticed: dict[str, float] = {}
        """By field manager: when a write was noticed last, in seconds of ``clock.monotonic``."""
        self._reports = ReportFilter(REPORTED_FOR)
        """By field manager."""
        self._lines = TokenBucket(MOST / REPORTED_FOR, MOST)
        self._last_writers: Counter[str] = Counter()
        """By field manager: the new resources to which it was the last to write, within the last hour."""
        self._listed_at = 0.0
        self._last_writes: list[str] = []

    def record(self, body: Mapping[str, Any], *, known: bool) -> str:
        """Take an object of the watch. Returns a sentence if another operator is to be reported; else empty.

        It is known if the cache had an object with its uid before.
        """
        if not known:
            self._count_last_writer(body)
        text = ""
        for manager, wrote in _writes(body):
            if manager == self._own or not self._wrote.get(manager, 0.0) < wrote <= wall() + AHEAD:
                continue
            if manager not in self._wrote and len(self._wrote) >= MOST:
                oldest = min(self._wrote, key=self._wrote.__getitem__)
                del self._wrote[oldest]
                self._noticed.pop(oldest, None)
                self._reports.forget(oldest)
            self._wrote[manager] = wrote
            if known:
                self._noticed[manager] = monotonic()
                if not text and self._lines.tokens >= 1 and self._reports.admit(manager):
                    self._lines.take()
                    text = self._text(manager)
        return text

    def end_of_list(self) -> list[str]:
        """All existing resources were taken. Returns a sentence for each operator that wrote last to some of them."""
        self._listed_at = monotonic()
        self._last_writes = [
            message("AnotherOperator", "AtStart", other=_lease(manager), own=_lease(self._own), resources=count)
            for manager, count in sorted(self._last_writers.items())
        ]
        return self._last_writes

    def sentences(self) -> list[str]:
        """Sentences about operators that have written within an hour, or else shortly before the start."""
        now = monotonic()
        texts = [
            self._text(manager, _ago(now - noticed))
            for manager, noticed in sorted(self._noticed.items())
            if now - noticed < REPORTED_FOR
        ]
        return texts or (self._last_writes if now - self._listed_at < REPORTED_FOR else [])

    @property
    def count(self) -> int:
        """The number of operators that have written to resources known here within the last hour."""
        return sum(monotonic() - noticed < REPORTED_FOR for noticed in self._noticed.values())

    def _count_last_writer(self, body: Mapping[str, Any]) -> None:
        writes = [(wrote, manager == self._own, manager) for manager, wrote in _writes(body)]
        wrote, is_own, manager = max(writes, default=(0.0, True, ""))
        is_remembered = manager in self._last_writers or len(self._last_writers) < MOST
        if not is_own and is_remembered and wrote >= wall() - REPORTED_FOR:
            self._last_writers[manager] += 1

    def _text(self, manager: str, ago: str = "") -> str:
        return message("AnotherOperator", other=_lease(manager), own=_lease(self._own), ago=ago)


def _ago(seconds: float) -> str:
    minutes = int(seconds / 60)
    unit = "minute" if minutes == 1 else "minutes"
    remedy = "If the other operator has stopped since then, no action is needed."
    return f" Its last change was {minutes} {unit} ago. {remedy}" if minutes else ""


def _writes(body: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The field managers of operators in an object, perhaps repeated, and when each wrote, in seconds since 1970."""
    for entry in body["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if manager.startswith(MANAGER) and _is_operator_write(entry):
            try:
                yield manager, datetime.fromisoformat(str(entry.get("time") or "")).timestamp()
            except ValueError:
                yield manager, 0.0


def _is_operator_write(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is of the status or of the operator's finalizer. Operators write nothing else but the intent."""
    if entry.get("subresource") == "status":
        return True
    fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
    metadata: Mapping[str, Any] = fields.get("f:metadata") or {}
    return f'v:"{FINALIZER}"' in (metadata.get("f:finalizers") or {})


def _lease(manager: str) -> str:
    return manager.removeprefix(MANAGER)

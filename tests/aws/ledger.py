"""The record of requests: counts for tests and benchmarks, and the last requests with their outcome."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

from .calls import Call
from .clock import Clock

LOGGED = 2000
#: The operations that change a mapping, its tags included.
WRITES = frozenset(
    {
        "CreateEventSourceMapping",
        "UpdateEventSourceMapping",
        "DeleteEventSourceMapping",
        "TagResource",
        "UntagResource",
    }
)
WINDOW = 1.0


class Ledger:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.log: deque[dict[str, Any]] = deque(maxlen=LOGGED)
        self.changes: list[dict[str, Any]] = []
        """All requests that have changed a mapping. Unlike the log, they are kept when the counts are reset."""
        self.reset()

    def reset(self) -> None:
        self._calls: Counter[str] = Counter()
        self._errors: dict[str, Counter[str]] = {}
        self._throttled = 0
        self._busiest: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}
        self.log.clear()

    def arrived(self, call: Call, *, counts_against_quota: bool) -> None:
        """Count a call; those against Lambda's quota also into the busiest second of their account and
        region."""
        self._calls[call.operation] += 1
        if not counts_against_quota:
            return
        now = self._clock()
        target = f"{call.account}/{call.region}"
        recent = self._recent.setdefault(target, deque())
        recent.append(now)
        while recent[0] <= now - WINDOW:
            recent.popleft()
        self._busiest[target] = max(self._busiest[target], len(recent))

    def throttled(self) -> None:
        self._throttled += 1

    def answered(self, call: Call, outcome: str, status: int) -> None:
        """Record the outcome of a call: `ok`, the code of an error, or the effect of a fault on the connection."""
        if outcome != "ok":
            self._errors.setdefault(call.operation, Counter())[outcome] += 1
        self.log.append(
            {
                "time": time.time(),
                "account": call.account,
                "region": call.region,
                "operation": call.operation,
                "members": call.members,
                "outcome": outcome,
                "status": status,
            }
        )

    def changed(self, call: Call, uuid: str, agent: str) -> None:
        """Note a request that has changed a mapping, whether or not its answer arrives."""
        place = {"account": call.account, "region": call.region}
        self.changes.append({"operation": call.operation, "uuid": uuid, "agent": agent, **place})

    def counts(self) -> dict[str, Any]:
        return {
            "calls": dict(self._calls),
            "errors": {operation: dict(codes) for operation, codes in self._errors.items()},
            "throttled": self._throttled,
            "busiest_second": dict(self._busiest),
        }

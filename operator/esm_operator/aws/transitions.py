"""The transitions of one target: reads the mappings that AWS is changing until the change is complete.

Each is read by Get about once a second, and ever more rarely if it takes long. If a sweep takes fewer requests than the
reads that are due, the sweeper reads instead. While the target is crowded, reads are rare: each delays a change.
"""

import asyncio
import math
from collections.abc import Callable

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.aws.shared_target import CROWDED_SHARE, SharedTarget
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.deadline import Deadline
from esm_operator.ratelimit.rate_limiter import RequestPriority

#: The least and the most seconds between two reads of one mapping.
FAST, SLOW = 1.0, 30.0
#: The pause until the next read, as a part of the time that a transition has taken already.
_PATIENCE = 0.1
#: More than these are left to the sweeper while the target is crowded.
_FEW = 10
#: Seconds in which transitions that begin are taken together, because there may be thousands.
_TOGETHER = FAST / 2
#: The longest pause after reads that failed, in seconds.
_MOST_FAILING = 5.0


class Transitions:
    """Reads until cancelled. It calls ``sweep_instead`` if a sweep takes fewer requests than the reads that are due."""

    def __init__(self, shared: SharedTarget, sweep_instead: Callable[[], None]) -> None:
        self._shared = shared
        self._sweep_instead = sweep_instead
        self._failures = 0
        self._last_read = -math.inf
        self._deadline = Deadline()

    def wake(self) -> None:
        """Read soon, because a transition has begun."""
        self._deadline.recheck()

    def retry(self) -> None:
        """If the last reads failed, read again immediately."""
        if self._failures:
            self._last_read = -math.inf
            self.wake()

    def overwhelming(self) -> bool:
        """Whether a sweep takes fewer requests than the reads that are due."""
        return len(self._due()) > self._shared.client.pages

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._deadline.until(self.next_due, together=_TOGETHER)
            self._last_read = monotonic()
            due = self._due()
            chosen = self._chosen(due)
            if due and not chosen:
                self._sweep_instead()
            client = self._shared.client
            try:
                await self._read(client, chosen)
                self._failures = 0
            except Exception as error:
                self._failures += 1
                self._shared.record_failure(client, error)

    def next_due(self) -> float:
        """Monotonic time of the next read, or from which that can be known, in seconds."""
        pause = self._shared.client.rate_limiter.interval(CROWDED_SHARE) if self._shared.is_crowded() else FAST / 2
        if self._failures:
            pause = backoff.exponential(self._failures, 1.0, _MOST_FAILING)
        if monotonic() < self._last_read + pause:
            return self._last_read + pause  # the mappings in transition, perhaps thousands, are not needed before
        moving = self._moving()
        if not moving:
            return math.inf
        load = self._load(moving)
        return -math.inf if self._failures else min(_due_at(one, load) for one in moving)

    def _due(self) -> list[InventoryEntry]:
        now, moving = monotonic(), self._moving()
        load = self._load(moving)
        return [one for one in moving if _due_at(one, load) <= now]

    def _chosen(self, due: list[InventoryEntry]) -> list[str]:
        """Those of the mappings that are due that are worth a request each."""
        if not self._shared.is_crowded():
            return [one.uuid for one in due] if len(due) <= self._shared.client.pages else []
        edited = sorted((one for one in due if one.state != "Creating"), key=lambda one: one.seen)
        return [one.uuid for one in edited[:1]] if len(edited) <= _FEW else []

    async def _read(self, client: MappingsClient, uuids: list[str]) -> None:
        reads = (client.get(uuid, RequestPriority.TRANSITION) for uuid in uuids)
        for result in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _moving(self) -> list[InventoryEntry]:
        inventory = self._shared.inventory
        entries = (inventory.get(uuid) for uuid in self._shared.resources.owned(inventory.in_transition()))
        return [entry for entry in entries if entry is not None]

    def _load(self, moving: list[InventoryEntry]) -> float:
        """Seconds that reading all of them takes."""
        client = self._shared.client
        return min(len(moving), client.pages) / client.rate_limiter.rate


def _due_at(entry: InventoryEntry, load: float) -> float:
    """Monotonic time of the next read of a mapping: the longer the transition has taken, the later."""
    period = min(SLOW, max(FAST, _PATIENCE * (entry.seen - entry.since)))
    return entry.seen + max(period, load)

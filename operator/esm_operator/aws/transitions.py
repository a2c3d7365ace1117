"""The transitions of one target: reads the mappings that AWS is changing until the change is complete.

A Get reads each mapping about once a second, and less often if the change takes long, or if the API server is slow. If
a sweep takes fewer requests than the reads that are due, the sweeper reads the mappings instead. While the target is
crowded, reads are rare, because each read delays a change.
"""

import asyncio
import math

from esm_operator.aws.account_region import CROWDED_SHARE, AccountRegion
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.waiters import RequestPriority

#: The least and the most seconds between two reads of one mapping.
FAST, SLOW = 1.0, 30.0
#: The least seconds between two reads, as a multiple of the time that the API server takes to write a status.
_WRITES = 5.0
#: The pause until the next read, as a share of the time that a transition has taken so far.
_PATIENCE = 0.1
#: The most mappings that are read while the target is crowded. The sweeper reads the others.
_FEW = 10
#: Seconds in which transitions that begin are collected, because there may be thousands.
_TOGETHER = FAST / 2
#: The longest pause after reads that failed, in seconds.
_MOST_FAILING = 5.0
_READER = "read of mappings in transition"


class Transitions:
    """Reads until cancelled."""

    def __init__(self, account_region: AccountRegion) -> None:
        self._account_region = account_region
        self._failures = 0
        self._last_read = -math.inf

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._account_region.transition_deadline.until(self.next_due, together=_TOGETHER)
            self._last_read = monotonic()
            due = due_transitions(self._account_region)
            chosen = self._chosen(due)
            if due and not chosen:
                self._account_region.sweep_deadline.recheck()
            client = self._account_region.client
            try:
                await self._read(client, chosen)
                self._failures = 0
                self._account_region.read_again(_READER)
            except Exception as error:
                self._failures += 1
                self._account_region.log_and_switch_client(client, error, reader=_READER)

    def next_due(self) -> float:
        """Monotonic time of the next read, or of the next calculation of that time, in seconds."""
        pause = (
            self._account_region.client.rate_limiter.interval(CROWDED_SHARE)
            if self._account_region.is_crowded()
            else FAST / 2
        )
        if self._failures:
            retried = self._account_region.retried > self._last_read
            pause = 0.0 if retried else backoff.exponential(self._failures, 1.0, _MOST_FAILING)
        if monotonic() < self._last_read + pause:
            return self._last_read + pause  # not before, because the mappings in transition may be thousands
        moving = _moving(self._account_region)
        if not moving:
            return math.inf
        least = _least_period(self._account_region, moving)
        return -math.inf if self._failures else min(_due_at(one, least) for one in moving)

    def _chosen(self, due: list[InventoryEntry]) -> list[str]:
        """The due mappings that are read with a request each."""
        if not self._account_region.is_crowded():
            return [one.uuid for one in due] if len(due) <= self._account_region.client.pages else []
        edited = sorted((one for one in due if one.state != "Creating"), key=lambda one: one.seen)
        return [one.uuid for one in edited[:1]] if len(edited) <= _FEW else []

    async def _read(self, client: MappingsClient, uuids: list[str]) -> None:
        reads = (client.refresh(uuid, RequestPriority.TRANSITION) for uuid in uuids)
        for result in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


def due_transitions(account_region: AccountRegion) -> list[InventoryEntry]:
    """The mappings in transition that have to be read now."""
    now, moving = monotonic(), _moving(account_region)
    least = _least_period(account_region, moving)
    return [one for one in moving if _due_at(one, least) <= now]


def _moving(account_region: AccountRegion) -> list[InventoryEntry]:
    inventory, resources = account_region.inventory, account_region.resources
    entries = map(inventory.get, resources.referenced(account_region.place, inventory.in_transition()))
    return [entry for entry in entries if entry is not None]


def fastest(account_region: AccountRegion) -> float:
    """The least seconds between two reads of one mapping, as the API server can write statuses."""
    return min(SLOW, max(FAST, _WRITES * account_region.resources.write_latency()))


def _least_period(account_region: AccountRegion, moving: list[InventoryEntry]) -> float:
    """The same, if the reads of all of them take longer."""
    reads = min(len(moving), account_region.client.pages)
    return max(fastest(account_region), reads / account_region.client.rate_limiter.rate)


def _due_at(entry: InventoryEntry, least: float) -> float:
    """Monotonic time of the next read of a mapping. It is later if the transition has taken longer."""
    return entry.seen + max(least, min(SLOW, _PATIENCE * (entry.seen - entry.since)))

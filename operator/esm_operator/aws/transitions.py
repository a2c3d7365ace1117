"""The transitions of one target: looks at the mappings that AWS is at work on until it is done.

By single looks (Get), about once a second, and ever more rarely at what takes long. Where a sweep takes fewer
calls than the looks that are due, they are left to the sweeper. While many changes wait for the budget looks are
rare, for each delays one of those.
"""

import asyncio
import logging
import math
from collections.abc import Collection
from typing import Protocol

from esm_operator.aws import errors
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.aws.sweeper import CROWDED_SHARE
from esm_operator.clock import monotonic
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.deadline import Deadline
from esm_operator.ratelimit.rate_limiter import RequestPriority

logger = logging.getLogger(__name__)

#: The least seconds between two looks at one mapping.
FAST = 1.0
#: The most.
SLOW = 30.0
#: The part of the time that a transition has taken already, until it is looked at again.
_PATIENCE = 0.1
#: More than these are left to the sweeper while many changes wait.
_FEW = 10
#: Seconds in which transitions that begin are taken together, for thousands may be under way.
_TOGETHER = FAST / 2
#: The longest pause after looks that failed, in seconds.
_MOST_FAILING = 5.0


class TransitionObserver(Protocol):
    """What looks at transitions work for. Changes that they show are reported by the client."""

    def is_crowded(self) -> bool:
        """Whether many changes wait for the rate limiter."""
        ...

    def owned(self, uuids: Collection[str]) -> list[str]:
        """Of the UUIDs, those of mappings that resources have or wait for."""
        ...

    def sweep_instead(self) -> None:
        """Let the sweeper look, because a sweep takes fewer requests than the looks that are due."""
        ...


class Transitions:
    """Looks until cancelled."""

    def __init__(self, shared: SharedTarget, observer: TransitionObserver) -> None:
        """
        Args:
            shared: the account and region.
            observer: what it works for.
        """
        self._shared = shared
        self._observer = observer
        self._failures = 0
        self._looked = -math.inf
        self._deadline = Deadline()

    def wake(self) -> None:
        """Look again soon, because a transition has begun."""
        self._deadline.recheck()

    def retry(self) -> None:
        """If the last looks failed, look again immediately."""
        if self._failures:
            self._looked = -math.inf
            self.wake()

    def overwhelming(self) -> bool:
        """Whether a sweep takes fewer calls than the looks that are due."""
        return len(self._due()) > self._shared.client.pages

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._deadline.until(self.next_due, together=_TOGETHER)
            self._looked = monotonic()
            due = self._due()
            chosen = self._chosen(due)
            if due and not chosen:
                self._observer.sweep_instead()
            client = self._shared.client
            try:
                await self._read(client, chosen)
                self._failures = 0
            except Exception as error:
                self._failures += 1
                failure = errors.understand_any(error)
                logger.warning("Looking at the mappings failed: %s", failure.message)
                if not failure.throttled:
                    self._shared.switch_client(client)

    def next_due(self) -> float:
        """Monotonic time of the next look, or from which that can be known, in seconds."""
        pause = self._shared.client.rate_limiter.interval(CROWDED_SHARE) if self._observer.is_crowded() else FAST / 2
        if self._failures:
            pause = backoff.exponential(self._failures, 1.0, _MOST_FAILING)
        if monotonic() < self._looked + pause:
            return self._looked + pause  # before that it need not be known what moves, which may be thousands
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
        """Those of the mappings that are due that single looks are worth."""
        if not self._observer.is_crowded():
            return [one.uuid for one in due] if len(due) <= self._shared.client.pages else []
        edited = sorted((one for one in due if one.state != "Creating"), key=lambda one: one.seen)
        return [one.uuid for one in edited[:1]] if len(edited) <= _FEW else []

    async def _read(self, client: MappingsClient, uuids: list[str]) -> None:
        looks = (client.get(uuid, RequestPriority.TRANSITION) for uuid in uuids)
        for result in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _moving(self) -> list[InventoryEntry]:
        inventory = self._shared.client.inventory
        entries = (inventory.get(uuid) for uuid in self._observer.owned(inventory.in_transition()))
        return [entry for entry in entries if entry is not None]

    def _load(self, moving: list[InventoryEntry]) -> float:
        """Seconds that looking at all of them takes."""
        client = self._shared.client
        return min(len(moving), client.pages) / client.rate_limiter.rate


def _due_at(entry: InventoryEntry, load: float) -> float:
    """Monotonic time of the next look at a mapping, in seconds: the later, the longer it takes already.

    Args:
        entry: the mapping.
        load: seconds that looking at all of them takes.
    """
    period = min(SLOW, max(FAST, _PATIENCE * (entry.seen - entry.since)))
    return entry.seen + max(period, load)

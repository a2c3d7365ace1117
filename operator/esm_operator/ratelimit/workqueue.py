"""The work queue: which resource is reconciled next.

A key is in the queue once and is worked on by one worker at a time. A key that changes meanwhile is worked on again.
Lower priorities come first. Each priority has a limit of keys under way in each *lane*, so many creates do not occupy
all workers, and an AWS account that does not answer delays no other. Within a priority the *parties* (namespaces) take
turns, so one with thousands of new resources does not delay another.
"""

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from esm_operator.clock import monotonic

Key = TypeVar("Key", bound=Hashable)


class QueuePriority(IntEnum):
    """Which key comes first: lower values do."""

    EDIT = 0
    """Deletions of and edits to mappings that exist."""
    CREATE = 1
    TRANSITION = 2
    """The mapping has changed in AWS."""
    RESYNC = 3


class QueueState(NamedTuple):
    """The keys of one priority, for metrics."""

    depth: int
    """How many keys wait to be worked on now."""
    under_way: int
    oldest: float
    """Seconds for which the key waits that has waited longest; 0: none does."""


class _QueuePosition(NamedTuple):
    """Where a key waits, or is under way."""

    priority: QueuePriority
    lane: Hashable
    party: Hashable
    since: float
    """Monotonic time from which it waits, in seconds."""


class WorkQueue(Generic[Key]):
    """Keys to work on, by priority, with delays. For one event loop.

    ``limits``: how many keys of each priority may be under way at the same time in each lane. ``lane`` is called again
    each time that a key is added.
    """

    def __init__(
        self,
        limits: Mapping[QueuePriority, int],
        lane: Callable[[Key], Hashable] = lambda _: None,
        party: Callable[[Key], Hashable] = lambda _: None,
    ) -> None:
        self._limits = limits
        self._lane = lane
        self._party = party
        self._order = itertools.count()
        self._ready: dict[QueuePriority, dict[tuple[Hashable, Hashable], dict[Key, None]]] = {
            one: {} for one in QueuePriority
        }
        """By lane and party; the party whose turn is next comes first."""
        self._place: dict[Key, _QueuePosition] = {}
        self._under_way: dict[Key, _QueuePosition] = {}
        self._waiting: Counter[tuple[QueuePriority, Hashable]] = Counter()
        self._busy: Counter[tuple[QueuePriority, Hashable]] = Counter()
        self._dirty: dict[Key, tuple[QueuePriority, bool]] = {}
        self._delayed: list[tuple[float, int, Key, QueuePriority]] = []
        self._due: dict[Key, float] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, priority: QueuePriority, *, immediately: bool = True) -> None:
        """Have a key worked on as soon as possible. Unless ``immediately``, a key that is delayed remains so."""
        if key in self._under_way:
            known, known_immediately = self._dirty.get(key, (priority, False))
            self._dirty[key] = (min(priority, known), immediately or known_immediately)
            return
        if key in self._due:
            if not immediately:
                return
            del self._due[key]
        known_place = self._place.get(key)
        if known_place is not None:
            if known_place.priority <= priority:
                return
            self._withdraw(key)
        place = self._place[key] = _QueuePosition(priority, self._lane(key), self._party(key), monotonic())
        self._ready[priority].setdefault((place.lane, place.party), {})[key] = None
        self._waiting[priority, place.lane] += 1
        self._changed.set()

    def add_after(self, key: Key, priority: QueuePriority, delay: float) -> None:
        """Have a key worked on in so many seconds, unless it is added before."""
        due = monotonic() + delay
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._order), key, priority))
        self._changed.set()

    def forget(self, key: Key) -> None:
        """Drop a key that waits, because the resource no longer exists."""
        self._due.pop(key, None)
        self._dirty.pop(key, None)
        if key in self._place:
            self._withdraw(key)

    async def take(self) -> Key:
        """Wait for the next key. After the work, call :meth:`done`."""
        while True:
            self._release_due()
            key = self._next()
            if key is not None:
                return key
            self._changed.clear()
            timeout = self._delayed[0][0] - monotonic() if self._delayed else None
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: Key) -> None:
        """A worker has finished with a key."""
        place = self._under_way.pop(key)
        self._busy[place.priority, place.lane] -= 1
        if key in self._dirty:
            priority, immediately = self._dirty.pop(key)
            self.add(key, priority, immediately=immediately)
        self._changed.set()

    def wait_of(self, key: Key) -> tuple[QueuePriority, float]:
        """The priority of a key that :meth:`take` has just returned, and the seconds for which it has waited."""
        place = self._under_way[key]
        return place.priority, monotonic() - place.since

    def pending(self, priority: QueuePriority, lane: Hashable = None) -> int:
        """How many keys of a priority wait or are under way in a lane."""
        return self._waiting[priority, lane] + self._busy[priority, lane]

    @property
    def delayed(self) -> int:
        """How many keys are to be worked on later."""
        return len(self._due)

    def state(self, priority: QueuePriority) -> QueueState:
        """The state of one priority, in all lanes."""
        since = [self._place[next(iter(keys))].since for keys in self._ready[priority].values()]
        oldest = monotonic() - min(since) if since else 0.0
        depth, under_way = (
            sum(count for (one, _), count in counts.items() if one is priority)
            for counts in (self._waiting, self._busy)
        )
        return QueueState(depth, under_way, oldest)

    def _next(self) -> Key | None:
        """Take the key whose turn it is out of those that wait."""
        for priority in QueuePriority:
            for lane, party in self._ready[priority]:
                if self._busy[priority, lane] < self._limits[priority]:
                    return self._start(priority, lane, party)
        return None

    def _start(self, priority: QueuePriority, lane: Hashable, party: Hashable) -> Key:
        keys = self._ready[priority].pop((lane, party))
        key = next(iter(keys))
        del keys[key]
        if keys:
            self._ready[priority][lane, party] = keys  # behind the others
        self._waiting[priority, lane] -= 1
        self._busy[priority, lane] += 1
        self._under_way[key] = self._place.pop(key)
        return key

    def _withdraw(self, key: Key) -> None:
        priority, lane, party, _ = self._place.pop(key)
        keys = self._ready[priority][lane, party]
        del keys[key]
        if not keys:
            del self._ready[priority][lane, party]
        self._waiting[priority, lane] -= 1

    def _release_due(self) -> None:
        now = monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key, priority = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                self.add(key, priority)

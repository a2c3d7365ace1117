"""The work queue: which resource is worked on next.

Keyed and deduplicated: a key is worked on by one worker at a time, and one that changes meanwhile is worked
on again. Lower priorities come first; so that many waiting creations do not occupy all workers, each
priority has a limit of keys under way. Back-off is counted per key. For one event loop.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Hashable, Mapping
from enum import IntEnum
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Urgency(IntEnum):
    """What is worked on first."""

    EDIT = 0
    """Deletions of and edits to mappings that exist."""
    CREATE = 1
    TRANSITION = 2
    """AWS has moved on."""
    RESYNC = 3


class WorkQueue(Generic[Key]):
    """Keys to work on, by urgency, with delays and back-off."""

    def __init__(self, limits: Mapping[Urgency, int]) -> None:
        """
        Args:
            limits: how many keys of each urgency may be under way at once.
        """
        self._limits = limits
        self._order = itertools.count()
        self._ready: dict[Urgency, dict[Key, None]] = {urgency: {} for urgency in Urgency}
        self._urgency: dict[Key, Urgency] = {}
        self._under_way: dict[Key, Urgency] = {}
        self._dirty: dict[Key, tuple[Urgency, bool]] = {}
        self._delayed: list[tuple[float, int, Key, Urgency]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, urgency: Urgency, *, at_once: bool = True) -> None:
        """Have a key worked on as soon as possible.

        Args:
            key: what to work on.
            urgency: how soon, among others.
            at_once: whether a delay of it is over; else it stays, if there is one.
        """
        if key in self._under_way:
            known, known_at_once = self._dirty.get(key, (urgency, False))
            self._dirty[key] = (min(urgency, known), at_once or known_at_once)
            return
        if key in self._due:
            if not at_once:
                return
            del self._due[key]
        known = self._urgency.get(key)
        if known is not None and known <= urgency:
            return
        if known is not None:
            del self._ready[known][key]
        self._urgency[key] = urgency
        self._ready[urgency][key] = None
        self._changed.set()

    def add_after(self, key: Key, urgency: Urgency, delay: float) -> None:
        """Have a key worked on in so many seconds, unless it is added before."""
        due = time.monotonic() + delay
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._order), key, urgency))
        self._changed.set()

    def back_off(self, key: Key, first: float, longest: float) -> float:
        """The delay after one more failure of a key, in seconds: doubling, with jitter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(longest, first * 2.0 ** min(failures, 20)) * random.uniform(0.75, 1.25)

    def forgive(self, key: Key) -> None:
        """Count the failures of a key from zero again."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._failures.pop(key, None)
        self._due.pop(key, None)
        self._dirty.pop(key, None)
        urgency = self._urgency.pop(key, None)
        if urgency is not None:
            del self._ready[urgency][key]

    async def take(self) -> Key:
        """Wait for the next key; it must be given back by :meth:`done`."""
        while True:
            self._release_due()
            for urgency in Urgency:
                ready = self._ready[urgency]
                busy = sum(1 for one in self._under_way.values() if one is urgency)
                if ready and busy < self._limits[urgency]:
                    key = next(iter(ready))
                    del ready[key]
                    del self._urgency[key]
                    self._under_way[key] = urgency
                    return key
            self._changed.clear()
            timeout = self._delayed[0][0] - time.monotonic() if self._delayed else None
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: Key) -> None:
        """A worker has finished with a key."""
        del self._under_way[key]
        dirty = self._dirty.pop(key, None)
        if dirty is not None:
            urgency, at_once = dirty
            self.add(key, urgency, at_once=at_once)
        self._changed.set()

    def pending(self, urgency: Urgency) -> int:
        """How many keys of an urgency wait or are under way."""
        return len(self._ready[urgency]) + sum(1 for one in self._under_way.values() if one is urgency)

    def _release_due(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key, urgency = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                self.add(key, urgency)
